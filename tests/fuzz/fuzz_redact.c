/* Texts that may hold secrets: bounds, and a secret that goes whatever stands around it. */
#include "fuzz.h"

#include "http/redact.h"

static const char secret[] = "S3CR3T";

static const char *const headers[] = {"Authorization: Bearer KN0WN-TO-US:a@b=c;d'e&f", NULL};
static const struct weir__secrets known = {.headers = headers};
static const char known_raw[] = "KN0WN-TO-US:a@b=c;d'e&f";
static const char known_encoded[] = "KN0WN%2DTO%2dUS%3Aa%40b%3Dc%3bd'e%26f";

static void stays_in_bounds(const char *text, size_t size)
{
    char copy[64];
    for (size_t room = 1; room <= sizeof copy; room = room * 2 + 1) {
        size_t len = weir__redact(copy, room, text, size, &known);
        HOLDS(len < room && copy[len] == '\0');
        for (size_t i = 0; i < len; i++)
            HOLDS((unsigned char)copy[i] >= 0x20 && copy[i] != 0x7f);
    }
}

/* `before` and a secret, in a line of its own with the data around it. */
static void goes(const char *before, const char *behind, const char *text, size_t size)
{
    size_t room = 2 * size + 200;
    char *whole = malloc(room), *copy = malloc(3 * room);
    HOLDS(whole != NULL && copy != NULL);
    memcpy(whole, text, size);
    int len = snprintf(whole + size, room - size, "\n%s%s%s", before, secret, behind);
    HOLDS(len > 0);
    memcpy(whole + size + len, text, size);
    weir__redact(copy, 3 * room, whole, 2 * size + (size_t)len, NULL);
    HOLDS(strstr(copy, secret) == NULL);
    free(whole);
    free(copy);
}

/* A known value between the data, which may hold beginnings of it: whatever they make of its
 * surroundings, and wherever the room ends. */
static void known_goes(const char *value, const char *text, size_t size)
{
    size_t len = strlen(value), room = 2 * size + len + 1;
    char *whole = malloc(room), *copy = malloc(3 * room);
    HOLDS(whole != NULL && copy != NULL);
    for (size_t at = 0; at <= size; at += size / 3 + 1) {
        memcpy(whole, text, at);
        memcpy(whole + at, value, len);
        memcpy(whole + at + len, text + at, size - at);
        for (size_t most = 1; most <= 3 * room; most = most * 7 + 1) {
            weir__redact(copy, most, whole, size + len, &known);
            HOLDS(strstr(copy, "KN0WN-TO") == NULL && strstr(copy, "KN0WN%2DTO") == NULL);
            HOLDS(strstr(copy, "c;d'e&f") == NULL && strstr(copy, "c%3bd'e%26f") == NULL);
        }
    }
    free(whole);
    free(copy);
}

/* The data's own parts of it are not ours to look for. */
static bool has_known(const char *text, size_t size)
{
    return memmem(text, size, "N0", 2) != NULL || memmem(text, size, "c;d", 3) != NULL ||
           memmem(text, size, "c%3", 3) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    stays_in_bounds(text, size);
    if (memmem(text, size, secret, sizeof secret - 1) != NULL)
        return 0;
    goes("GET https://h/x?a=b&api_key=", "&c=", text, size);
    goes("https://u:", "@h/", text, size);
    goes("Authorization: Bearer ", " ", text, size);
    goes("X-Api-Key:", "", text, size);
    goes("{\"a\":1,\"accessToken\": \"", "\",", text, size);
    goes("Bearer ", ",", text, size);
    goes("/p?a[b%5FKey]=<", "&c=", text, size);
    goes("/p?userAPIToken=a,'", "#c=", text, size);
    goes("/p#access%5ftoken=a\"", "&", text, size);
    if (has_known(text, size))
        return 0;
    known_goes(known_raw, text, size);
    known_goes(known_encoded, text, size);
    return 0;
}
