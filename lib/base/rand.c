#include "base/rand.h"

#include <sys/random.h>

#include "base/clock.h"

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

/* splitmix64 fills the state from one word, as the authors of xoshiro advise. */
void weir__rand_seed(struct weir__rand *rand, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        rand->s[i] = z ^ (z >> 31);
    }
}

uint64_t weir__rand_system_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed)
        return seed;
    return (uint64_t)weir__clock_mono_ns(); /* early at boot only */
}

uint64_t weir__rand_u64(struct weir__rand *rand)
{
    uint64_t *s = rand->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

int64_t weir__rand_upto(struct weir__rand *rand, int64_t bound)
{
    uint64_t range = (uint64_t)bound + 1;
    uint64_t limit = UINT64_MAX - UINT64_MAX % range; /* reject the uneven rest */
    uint64_t draw;
    do {
        draw = weir__rand_u64(rand);
    } while (draw >= limit);
    return (int64_t)(draw % range);
}
