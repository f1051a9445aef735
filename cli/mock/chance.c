#include "mock/chance.h"

#include <string.h>

#define GOLDEN 0x9e3779b97f4a7c15u

/* The finaliser of splitmix64. */
uint64_t mock_mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

uint64_t mock_draw(uint64_t seed, enum mock_stream stream, uint64_t number)
{
    uint64_t start = mock_mix(seed + GOLDEN * (uint64_t)stream);

    return mock_mix(start + GOLDEN * number);
}

double mock_draw_unit(uint64_t seed, enum mock_stream stream, uint64_t number)
{
    return (double)(mock_draw(seed, stream, number) >> 11) * 0x1p-53;
}

uint64_t mock_hash(const void *data, size_t len, uint64_t start)
{
    const unsigned char *at = data;
    uint64_t hash = mock_mix(start + GOLDEN * len);
    uint64_t word;

    for (; len >= sizeof(word); len -= sizeof(word), at += sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        hash = mock_mix(hash ^ word);
    }
    for (word = 0; len > 0; len--)
        word = word << 8 | *at++;
    return mock_mix(hash ^ word);
}
