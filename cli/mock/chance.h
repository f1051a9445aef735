/*
 * Chance that can be repeated: every draw is a function of (seed, stream, number), so the draw of
 * request n does not depend on what was drawn before it.
 */
#ifndef WEIR_MOCK_CHANCE_H
#define WEIR_MOCK_CHANCE_H

#include <stddef.h>
#include <stdint.h>

enum mock_stream {
    MOCK_STREAM_FAULT = 1,
    MOCK_STREAM_LATENCY,
    MOCK_STREAM_REQUEST_ID,
    MOCK_STREAM_STATS_ID,
    MOCK_STREAM_GARBAGE,
};

/* A bijection of 64 bits that spreads every input bit over the whole output. */
uint64_t mock_mix(uint64_t value);

/* 64 random bits; within one stream different numbers give different results. */
uint64_t mock_draw(uint64_t seed, enum mock_stream stream, uint64_t number);

/* The same in [0, 1). */
double mock_draw_unit(uint64_t seed, enum mock_stream stream, uint64_t number);

/* A hash for choosing answers; not for anything that an enemy may attack. */
uint64_t mock_hash(const void *data, size_t len, uint64_t start);

#endif
