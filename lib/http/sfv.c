#include "http/sfv.h"

/* Digits at most: of an integer, of a decimal before and behind its point. */
enum { INTEGER_DIGITS = 15, WHOLE_DIGITS = 12, FRACTION_DIGITS = 3 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
    return is_lower((char)(c | 0x20));
}

static bool one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* The next character, not taken; NUL at the end (and for a NUL, which is allowed nowhere). */
static char peek(const struct weir__span *in)
{
    return in->at < in->end ? in->at[0] : '\0';
}

static void skip_spaces(struct weir__span *in)
{
    while (weir__span_char(in, ' '))
        ;
}

static void skip_blanks(struct weir__span *in)
{
    while (in->at < in->end && weir__span_blank(in->at[0]))
        in->at++;
}

/* ---- bare items ---- */

static bool take_fraction(struct weir__span *in, int64_t *thousandths)
{
    int digits = 0;
    for (int digit = weir__span_digit(in); digit >= 0; digit = weir__span_digit(in)) {
        *thousandths = *thousandths * 10 + digit;
        if (++digits > FRACTION_DIGITS)
            return false;
    }
    for (int i = digits; i < FRACTION_DIGITS; i++)
        *thousandths *= 10;
    return digits > 0;
}

static bool take_number(struct weir__span *in, struct weir__sfv_value *value)
{
    bool minus = weir__span_char(in, '-');
    int64_t number = 0;
    int digits = 0;
    for (int digit = weir__span_digit(in); digit >= 0; digit = weir__span_digit(in)) {
        number = number * 10 + digit;
        if (++digits > INTEGER_DIGITS)
            return false;
    }
    if (digits == 0)
        return false;
    value->type = WEIR__SFV_INTEGER;
    if (weir__span_char(in, '.')) {
        value->type = WEIR__SFV_DECIMAL;
        if (digits > WHOLE_DIGITS || !take_fraction(in, &number))
            return false;
    }
    value->number = minus ? -number : number;
    return true;
}

static bool take_string(struct weir__span *in, struct weir__sfv_value *value)
{
    in->at++;
    value->type = WEIR__SFV_STRING;
    value->text.at = in->at;
    for (; in->at < in->end; in->at++) {
        char c = in->at[0];
        if (c == '"') {
            value->text.end = in->at++;
            return true;
        }
        if (c < 0x20 || c == 0x7f)
            return false;
        if (c == '\\' && (++in->at == in->end || !one_of(in->at[0], "\"\\")))
            return false;
    }
    return false;
}

static bool take_token(struct weir__span *in, struct weir__sfv_value *value)
{
    value->type = WEIR__SFV_TOKEN;
    value->text.at = in->at;
    while (in->at < in->end &&
           (is_alpha(in->at[0]) || is_digit(in->at[0]) || one_of(in->at[0], "!#$%&'*+-.^_`|~:/")))
        in->at++;
    value->text.end = in->at;
    return true;
}

/* Base64; padding may be missing (section 4.2.7). */
static bool take_bytes(struct weir__span *in, struct weir__sfv_value *value)
{
    size_t chars = 0, pads = 0;
    in->at++;
    value->type = WEIR__SFV_BYTES;
    value->text.at = in->at;
    for (; in->at < in->end && in->at[0] != ':'; in->at++) {
        char c = in->at[0];
        if (c == '=')
            pads++;
        else if (pads > 0 || !(is_alpha(c) || is_digit(c) || c == '+' || c == '/'))
            return false;
        else
            chars++;
    }
    value->text.end = in->at;
    bool padded = pads == 0 || (pads <= 2 && (chars + pads) % 4 == 0);
    return weir__span_char(in, ':') && chars % 4 != 1 && padded;
}

static bool take_boolean(struct weir__span *in, struct weir__sfv_value *value)
{
    in->at++;
    value->type = WEIR__SFV_BOOLEAN;
    value->number = peek(in) == '1';
    return weir__span_char(in, '0') || weir__span_char(in, '1');
}

static bool take_date(struct weir__span *in, struct weir__sfv_value *value)
{
    in->at++;
    if (!take_number(in, value) || value->type != WEIR__SFV_INTEGER)
        return false;
    value->type = WEIR__SFV_DATE;
    return true;
}

/* ---- display strings: percent-encoded UTF-8 ---- */

struct utf8 {
    unsigned left;     /* bytes that the character still needs */
    unsigned char low; /* bounds of the next one */
    unsigned char high;
};

/* The table of Unicode 3.9 (well-formed byte sequences), byte by byte. */
static bool utf8_add(struct utf8 *state, unsigned char byte)
{
    if (state->left > 0) {
        bool ok = byte >= state->low && byte <= state->high;
        *state = (struct utf8){state->left - 1, 0x80, 0xBF};
        return ok;
    }
    if (byte < 0x80)
        return true;
    if (byte < 0xC2 || byte > 0xF4)
        return false;
    *state = (struct utf8){byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3, 0x80, 0xBF};
    if (byte == 0xE0)
        state->low = 0xA0;
    else if (byte == 0xED)
        state->high = 0x9F;
    else if (byte == 0xF0)
        state->low = 0x90;
    else if (byte == 0xF4)
        state->high = 0x8F;
    return true;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; /* lower case only */
}

static bool take_display(struct weir__span *in, struct weir__sfv_value *value)
{
    struct utf8 state = {0};
    if (!weir__span_text(in, "%\""))
        return false;
    value->type = WEIR__SFV_DISPLAY;
    value->text.at = in->at;
    for (; in->at < in->end; in->at++) {
        char c = in->at[0];
        if (c == '"') {
            value->text.end = in->at++;
            return state.left == 0;
        }
        if (c < 0x20 || c == 0x7f)
            return false;
        unsigned char byte = (unsigned char)c;
        if (c == '%') {
            int high = in->end - in->at > 2 ? hex_digit(in->at[1]) : -1;
            int low = high >= 0 ? hex_digit(in->at[2]) : -1;
            if (low < 0)
                return false;
            byte = (unsigned char)(high * 16 + low);
            in->at += 2;
        }
        if (!utf8_add(&state, byte))
            return false;
    }
    return false;
}

static bool take_bare(struct weir__span *in, struct weir__sfv_value *value)
{
    char c = peek(in);
    *value = (struct weir__sfv_value){.text = {in->at, in->at}};
    if (c == '-' || is_digit(c))
        return take_number(in, value);
    if (c == '*' || is_alpha(c))
        return take_token(in, value);
    switch (c) {
    case '"':
        return take_string(in, value);
    case ':':
        return take_bytes(in, value);
    case '?':
        return take_boolean(in, value);
    case '@':
        return take_date(in, value);
    case '%':
        return take_display(in, value);
    default:
        return false;
    }
}

/* ---- keys and parameters ---- */

static bool take_key(struct weir__span *in, struct weir__span *key)
{
    key->at = in->at;
    if (peek(in) != '*' && !is_lower(peek(in)))
        return false;
    while (in->at < in->end &&
           (is_lower(in->at[0]) || is_digit(in->at[0]) || one_of(in->at[0], "_-.*")))
        in->at++;
    key->end = in->at;
    return true;
}

static bool is_true(struct weir__sfv_value *value, const char *at)
{
    *value = (struct weir__sfv_value){WEIR__SFV_BOOLEAN, 1, {at, at}};
    return true;
}

int weir__sfv_param(struct weir__span *params, struct weir__span *key,
                    struct weir__sfv_value *value)
{
    if (!weir__span_char(params, ';'))
        return 0;
    skip_spaces(params);
    if (!take_key(params, key))
        return -1;
    bool ok = weir__span_char(params, '=') ? take_bare(params, value) : is_true(value, params->at);
    return ok ? 1 : -1;
}

static bool take_params(struct weir__span *in, struct weir__span *params)
{
    struct weir__span key;
    struct weir__sfv_value value;
    int rc;
    params->at = in->at;
    do
        rc = weir__sfv_param(in, &key, &value);
    while (rc > 0);
    params->end = in->at;
    return rc == 0;
}

/* ---- members ---- */

static bool take_inner_list(struct weir__span *in, struct weir__sfv_value *value)
{
    struct weir__sfv_value item;
    struct weir__span params;
    in->at++;
    *value = (struct weir__sfv_value){.type = WEIR__SFV_INNER_LIST, .text.at = in->at};
    for (;;) {
        skip_spaces(in);
        value->text.end = in->at;
        if (weir__span_char(in, ')'))
            return true;
        if (!take_bare(in, &item) || !take_params(in, &params) ||
            (peek(in) != ' ' && peek(in) != ')'))
            return false;
    }
}

static bool take_member(struct weir__span *in, struct weir__sfv_member *member)
{
    bool ok = peek(in) == '(' ? take_inner_list(in, &member->value) : take_bare(in, &member->value);
    return ok && take_params(in, &member->params);
}

/* What follows a member: the end, or a comma and another one. */
static bool take_comma(struct weir__span *in)
{
    skip_blanks(in);
    if (in->at == in->end)
        return true;
    if (!weir__span_char(in, ','))
        return false;
    skip_blanks(in);
    return in->at < in->end;
}

int weir__sfv_list_next(struct weir__span *in, struct weir__sfv_member *member)
{
    if (in->at == in->end)
        return 0;
    member->key = (struct weir__span){in->at, in->at};
    return take_member(in, member) && take_comma(in) ? 1 : -1;
}

int weir__sfv_dictionary_next(struct weir__span *in, struct weir__sfv_member *member)
{
    if (in->at == in->end)
        return 0;
    if (!take_key(in, &member->key))
        return -1;
    bool ok = weir__span_char(in, '=')
                  ? take_member(in, member)
                  : is_true(&member->value, in->at) && take_params(in, &member->params);
    return ok && take_comma(in) ? 1 : -1;
}

/* ---- whole fields ---- */

static bool all_ok(struct weir__span in,
                   int (*next)(struct weir__span *in, struct weir__sfv_member *member))
{
    struct weir__sfv_member member;
    int rc;
    do
        rc = next(&in, &member);
    while (rc > 0);
    return rc == 0;
}

bool weir__sfv_list_ok(struct weir__span in)
{
    return all_ok(in, weir__sfv_list_next);
}

bool weir__sfv_dictionary_ok(struct weir__span in)
{
    return all_ok(in, weir__sfv_dictionary_next);
}

bool weir__sfv_item(struct weir__span in, struct weir__sfv_member *item)
{
    item->key = (struct weir__span){in.at, in.at};
    return peek(&in) != '(' && take_member(&in, item) && in.at == in.end;
}
