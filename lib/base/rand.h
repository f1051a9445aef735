/* Random numbers for jitter and tests, never for secrets. Seeded, so a run can be repeated. */
#ifndef WEIR_BASE_RAND_H
#define WEIR_BASE_RAND_H

#include <stdint.h>

struct weir__rand {
    uint64_t s[4];
};

void weir__rand_seed(struct weir__rand *rand, uint64_t seed);
uint64_t weir__rand_system_seed(void);

/* xoshiro256** (Blackman, Vigna 2018). */
uint64_t weir__rand_u64(struct weir__rand *rand);

/* Uniform in [0, bound], without bias; bound >= 0. */
int64_t weir__rand_upto(struct weir__rand *rand, int64_t bound);

#endif
