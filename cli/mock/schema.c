#include "mock/schema.h"

#include <math.h>
#include <string.h>

#include "mock/chance.h"
#include "mock/words.h"

enum {
    DEPTH_MAX = 16,
    VALUES_MAX = 4096, /* a schema that names itself twice doubles at each depth */
    NAME_BYTES = 40,   /* of a made-up text */
    REFS_MAX = 8,      /* one leads to the next */
};

#define NUMBER_SPAN 100 /* of a number without bounds */

struct make {
    const cJSON *root;
    uint64_t choice;
    int depth;
    int values; /* so far */
};

static cJSON *make_value(struct make *make, const cJSON *schema);

static uint64_t draw(struct make *make)
{
    make->choice = mock_mix(make->choice + 1);
    return make->choice;
}

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* "#/$defs/person": what it names, or NULL. */
static const cJSON *find_ref(const cJSON *root, const char *ref)
{
    char key[128];

    if (*ref++ != '#')
        return NULL;
    while (*ref == '/' && root) {
        size_t len = strcspn(++ref, "/");

        if (len >= sizeof(key))
            return NULL;
        memcpy(key, ref, len);
        key[len] = '\0';
        root = get(root, key);
        ref += len;
    }
    return root;
}

/* The schema behind references and alternatives, of which the first is taken. */
static const cJSON *resolve(const struct make *make, const cJSON *schema)
{
    for (int i = 0; i < REFS_MAX && schema; i++) {
        const char *ref = cJSON_GetStringValue(get(schema, "$ref"));
        const cJSON *any = get(schema, "anyOf");

        if (!any)
            any = get(schema, "oneOf");
        if (ref)
            schema = find_ref(make->root, ref);
        else if (cJSON_IsArray(any) && any->child)
            schema = any->child;
        else
            return schema;
    }
    return NULL;
}

/* The type, of several the first; without one, an object where there are properties. */
static const char *type_of(const cJSON *schema)
{
    const cJSON *type = get(schema, "type");

    if (cJSON_IsArray(type))
        type = type->child;
    if (cJSON_IsString(type))
        return type->valuestring;
    return get(schema, "properties") ? "object" : "string";
}

static cJSON *make_object(struct make *make, const cJSON *schema)
{
    const cJSON *property;
    cJSON *object = cJSON_CreateObject();

    cJSON_ArrayForEach(property, get(schema, "properties"))
    {
        mock_json_put(object, property->string, make_value(make, property));
    }
    return object;
}

static cJSON *make_array(struct make *make, const cJSON *schema)
{
    const cJSON *least = get(schema, "minItems");
    cJSON *array = cJSON_CreateArray();
    int items = make->depth < 4 ? 2 : 1;

    if (cJSON_IsNumber(least) && least->valuedouble > items && least->valuedouble <= 16)
        items = (int)least->valuedouble;
    for (int i = 0; i < items; i++)
        mock_json_add(array, make_value(make, get(schema, "items")));
    return array;
}

static cJSON *make_number(struct make *make, const cJSON *schema, bool whole)
{
    const cJSON *minimum = get(schema, "minimum");
    const cJSON *maximum = get(schema, "maximum");
    double low = cJSON_IsNumber(minimum) ? minimum->valuedouble : 0;
    double high = cJSON_IsNumber(maximum) ? maximum->valuedouble : low + NUMBER_SPAN;
    double value;

    if (whole)
        low = ceil(low);
    value = low + (high - low) * ((double)(draw(make) >> 11) * 0x1p-53);
    return cJSON_CreateNumber(whole ? floor(value) : value);
}

static cJSON *make_string(struct make *make)
{
    char text[MOCK_WORDS_MAX];

    mock_words_write(text, NAME_BYTES, draw(make));
    return cJSON_CreateString(text);
}

static cJSON *make_chosen(struct make *make, const cJSON *list)
{
    int count = cJSON_GetArraySize(list);

    if (count == 0)
        return cJSON_CreateNull();
    return cJSON_Duplicate(cJSON_GetArrayItem(list, (int)(draw(make) % (unsigned)count)), true);
}

static cJSON *make_typed(struct make *make, const cJSON *schema)
{
    const char *type = type_of(schema);

    if (get(schema, "const"))
        return cJSON_Duplicate(get(schema, "const"), true);
    if (cJSON_IsArray(get(schema, "enum")))
        return make_chosen(make, get(schema, "enum"));
    if (strcmp(type, "object") == 0)
        return make_object(make, schema);
    if (strcmp(type, "array") == 0)
        return make_array(make, schema);
    if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0)
        return make_number(make, schema, type[0] == 'i');
    if (strcmp(type, "boolean") == 0)
        return cJSON_CreateBool((int)(draw(make) & 1));
    return strcmp(type, "null") == 0 ? cJSON_CreateNull() : make_string(make);
}

static cJSON *make_value(struct make *make, const cJSON *schema)
{
    cJSON *value = NULL;

    schema = resolve(make, schema);
    make->values++;
    if (make->depth++ < DEPTH_MAX && make->values <= VALUES_MAX && schema)
        value = make_typed(make, schema);
    else
        value = cJSON_CreateNull();
    make->depth--;
    return value;
}

/* The last property goes, or the first one becomes null. */
static void spoil(cJSON *object, uint64_t choice)
{
    if (!cJSON_IsObject(object) || !object->child)
        return;
    if (choice & 1)
        cJSON_DetachItemViaPointer(object, object->child->prev); /* the last one */
    else
        object->child->type = cJSON_NULL | (object->child->type & cJSON_StringIsConst);
}

cJSON *mock_schema_answer(const cJSON *schema, uint64_t choice, bool misfit)
{
    struct make make = {.root = schema, .choice = choice};
    cJSON *answer = make_value(&make, schema);

    if (misfit)
        spoil(answer, mock_mix(choice));
    return answer;
}
