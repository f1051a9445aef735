/* What the fuzz targets share. A target is a file fuzz_NAME.c with the function below; libFuzzer
 * calls it, or replay.c with the files of corpus/NAME. It ends the program when a documented bound
 * does not hold, whatever the bytes are. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline bool within(int64_t value, int64_t low, int64_t high)
{
    return value >= low && value <= high;
}

#endif
