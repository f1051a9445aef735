#include "utf8.h"

static size_t length_of(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead < 0xE0)
        return 2;
    if (lead >= 0xE0 && lead < 0xF0)
        return 3;
    return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

size_t utf8_next(const char *at, const char *end, uint32_t *point)
{
    static const unsigned char lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = length_of((unsigned char)*at);
    if (len == 0 || (size_t)(end - at) < len)
        return 0;
    uint32_t value = (unsigned char)*at & lead_bits[len];
    for (size_t i = 1; i < len; i++) {
        unsigned char byte = (unsigned char)at[i];
        if ((byte & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (byte & 0x3F);
    }
    if (value < lowest[len] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
        return 0;
    *point = value;
    return len;
}
