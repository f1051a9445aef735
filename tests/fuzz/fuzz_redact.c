/* Texts that may hold secrets: bounds, and a secret that goes whatever stands around it. */
#include "fuzz.h"

#include "http/redact.h"

static const char secret[] = "S3CR3T";

static void stays_in_bounds(const char *text, size_t size)
{
    char copy[64];
    for (size_t room = 1; room <= sizeof copy; room = room * 2 + 1) {
        size_t len = weir__redact(copy, room, text, size);
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
    weir__redact(copy, 3 * room, whole, 2 * size + (size_t)len);
    HOLDS(strstr(copy, secret) == NULL);
    free(whole);
    free(copy);
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
    return 0;
}
