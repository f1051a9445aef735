/* Structured fields: what is read lies inside the field, and comes to an end. */
#include "fuzz.h"

#include "http/sfv.h"

static const struct weir__span *field;

static void check_span(struct weir__span span)
{
    HOLDS(span.at >= field->at && span.at <= span.end && span.end <= field->end);
}

static void check_value(const struct weir__sfv_value *value)
{
    int64_t most = value->type == WEIR__SFV_BOOLEAN ? 1 : INT64_C(999999999999999);
    HOLDS(within(value->number, -most, most));
    HOLDS(value->type <= WEIR__SFV_INNER_LIST);
    check_span(value->text);
}

static void check_member(const struct weir__sfv_member *member)
{
    struct weir__span params = member->params, key;
    struct weir__sfv_value value;
    check_span(member->key);
    check_span(params);
    check_value(&member->value);
    while (params.at < params.end) {
        HOLDS(weir__sfv_param(&params, &key, &value) == 1);
        HOLDS(weir__span_len(key) > 0);
        check_span(key);
        check_value(&value);
    }
}

static bool walk(int (*next)(struct weir__span *in, struct weir__sfv_member *member))
{
    struct weir__span rest = *field;
    struct weir__sfv_member member;
    int rc;
    for (size_t steps = 0; (rc = next(&rest, &member)) > 0; steps++) {
        HOLDS(steps <= weir__span_len(*field));
        check_member(&member);
    }
    return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct weir__span span = {text, text + size};
    struct weir__sfv_member item;
    field = &span;
    HOLDS(walk(weir__sfv_list_next) == weir__sfv_list_ok(span));
    HOLDS(walk(weir__sfv_dictionary_next) == weir__sfv_dictionary_ok(span));
    if (weir__sfv_item(span, &item)) {
        check_member(&item);
        HOLDS(weir__sfv_list_ok(span)); /* an item is a list of one */
    }
    return 0;
}
