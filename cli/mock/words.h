/*
 * Short made-up English, chosen by a number.
 */
#ifndef WEIR_MOCK_WORDS_H
#define WEIR_MOCK_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MOCK_WORDS_MAX = 256, /* bytes, with the NUL; more than any text needs */
};

/* Writes at most `max` bytes (and a NUL) of one or two sentences of at most 20 words, cut between
 * words where it can be. Returns true when nothing was cut. */
bool mock_words_write(char text[MOCK_WORDS_MAX], size_t max, uint64_t choice);

#endif
