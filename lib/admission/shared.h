/* Limits in memory that threads or processes share. Each bucket is its one word, moved by
 * compare-and-swap: there is no lock that a killed process could hold. */
#ifndef WEIR_ADMISSION_SHARED_H
#define WEIR_ADMISSION_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <weir/shared.h>

#include "admission/limits.h"

/* A slot is good for so long. Behind it the reservation is given up. */
#define WEIR__SLOT_LATE_NS (20 * WEIR__NS_PER_MS)

/* How much each of the last takes found its bucket to lack: see low_since in shared.c. */
enum { WEIR__SHARED_LOG = 4096 };

struct weir__shared_word {
    _Atomic int64_t tat_ns;
    _Atomic uint64_t lacks[WEIR__SHARED_LOG];
};

/* What every opener must agree on. Times are CLOCK_MONOTONIC, which begins anew at each boot. */
struct weir__shared_head {
    char magic[8];
    uint32_t version, limit_count;
    char boot_id[40];
    struct {
        uint64_t rate, burst;
        int64_t period_ns;
        uint64_t unit;
    } limits[WEIR_LIMITS_MAX];
};

struct weir__shared_page {
    struct weir__shared_head head;
    _Atomic int64_t open_ns; /* the gate: closed before this time */
    _Atomic uint64_t takes;  /* numbers of takes given out; the last one's is this */
    struct weir__shared_word words[];
};

struct weir_shared {
    struct weir__shared_page *page;
    size_t size;
    bool file;
    _Atomic size_t users;
    struct weir__limits limits; /* their parameters; the words are in the page */
};

/* A slot that is reserved. Zeroed: none. */
struct weir__booking {
    bool held;
    struct weir__amounts want;
    int64_t slot_ns;
    uint64_t mark; /* number of the take */
    int64_t before_ns[WEIR_LIMITS_MAX], after_ns[WEIR_LIMITS_MAX];
};

size_t weir__shared_size(const struct weir__limits *limits);
void weir__shared_start(struct weir__shared_page *page, const struct weir__limits *limits);

/* The page of that size in the file. Errors as weir_shared_open. */
int weir__shared_map(const char *path, const struct weir__limits *limits,
                     struct weir__shared_page **page);

bool weir__shared_is_file(const weir_shared *shared);
weir_shared *weir__shared_ref(weir_shared *shared);
const struct weir__limits *weir__shared_limits(const weir_shared *shared);

/* As weir__limits_slot_ns and _narrowest, for now. own: a booking whose amounts are among those
 * ahead. */
int64_t weir__shared_slot_ns(const weir_shared *shared, const struct weir__booking *own,
                             const struct weir__amounts *ahead, const struct weir__amounts *want);
unsigned weir__shared_narrowest(const weir_shared *shared, const struct weir__amounts *want);

/* Reserves the earliest slot, in all limits or none; it may be as early as from_ns (<= now_ns) if
 * it was free then, else it is now or later. */
void weir__shared_book(weir_shared *shared, struct weir__booking *booking,
                       const struct weir__amounts *want, int64_t from_ns, int64_t now_ns);

/* Gives it back: exactly if nobody has reserved behind it, else as far as it could have been kept.
 */
void weir__shared_unbook(weir_shared *shared, struct weir__booking *booking);

/* It is for these amounts, not before the gate opens, and not too old. */
bool weir__booking_serves(const struct weir__booking *booking, const struct weir__amounts *want,
                          int64_t open_ns, int64_t now_ns);

/* What was taken under that mark turned out to cost `used`. */
void weir__shared_settle(weir_shared *shared, uint64_t mark, const struct weir__amounts *taken,
                         const struct weir__amounts *used, int64_t now_ns);

/* The gate of all, and the buckets empty at its opening. */
void weir__shared_pause(weir_shared *shared, int64_t open_ns);
int64_t weir__shared_open_ns(const weir_shared *shared);

#endif
