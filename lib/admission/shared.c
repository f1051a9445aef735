#include "admission/shared.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "words that processes share must not need a lock");

/* ---- what the last takes have seen ----
 *
 * What is given back must not be more than the bucket, had it not been taken, would have kept: what
 * it lacked at its fullest since (policy/bucket.c keeps the same for one limiter). Each take gets a
 * number, and leaves under it what it found lacking. It draws the number after it has read the
 * bucket's word, and moves the word if that has not changed: so takes behind it have higher
 * numbers. */

#define LACK_BITS 40
#define LACK_NONE ((UINT64_C(1) << LACK_BITS) - 1) /* took nothing from this bucket */

/* The unit in which lacks are counted: the time to fill the bucket fits in. */
static unsigned lack_shift(const struct weir__bucket *bucket)
{
    unsigned shift = 0;
    uint64_t full_ns = (uint64_t)weir__bucket_cost_ns(bucket, bucket->burst);
    while (full_ns >> shift >= LACK_NONE)
        shift++;
    return shift;
}

/* Tells a note from the one that was in its place before, and a missing one from both. */
static uint64_t tag_of(uint64_t take)
{
    return (take / WEIR__SHARED_LOG + 1) << LACK_BITS;
}

static _Atomic uint64_t *note_of(struct weir__shared_word *word, uint64_t take)
{
    return &word->lacks[take % WEIR__SHARED_LOG];
}

static void leave_note(struct weir__shared_word *word, const struct weir__bucket *bucket,
                       uint64_t take, int64_t lack_ns)
{
    uint64_t lack = lack_ns > 0 ? (uint64_t)lack_ns >> lack_shift(bucket) : 0;
    if (lack_ns == INT64_MAX || lack > LACK_NONE)
        lack = LACK_NONE;
    atomic_store(note_of(word, take), tag_of(take) | lack);
}

/* Claims up to `back` of what a take found lacking: two that give back at a time must not both have
 * it. A take that has left no note (yet, or ever: it was killed) may have found the bucket full. */
static uint64_t claim(struct weir__shared_word *word, uint64_t take, uint64_t back)
{
    _Atomic uint64_t *note = note_of(word, take);
    uint64_t seen = atomic_load(note), lack;
    do {
        lack = seen & LACK_NONE;
        if ((seen & ~LACK_NONE) != tag_of(take))
            return 0;
        if (lack == LACK_NONE)
            return back;
        if (lack < back)
            back = lack;
    } while (back > 0 && !atomic_compare_exchange_weak(note, &seen, seen - back));
    return back;
}

/* Moves the word back by back_ns, as far as the bucket would have kept it since the take. */
static void give_back(struct weir_shared *shared, unsigned i, uint64_t mark, int64_t back_ns)
{
    struct weir__shared_word *word = &shared->page->words[i];
    unsigned shift = lack_shift(&shared->limits.list[i].bucket);
    uint64_t take = mark, back = (uint64_t)back_ns >> shift;
    bool whole = true; /* nothing of it was lost, so neither is what the shift rounds off */
    for (;;) {
        int64_t tat_ns = atomic_load(&word->tat_ns);
        uint64_t last = atomic_load(&shared->page->takes);
        if (last - mark >= WEIR__SHARED_LOG)
            return;
        while (take < last && back > 0) {
            uint64_t kept = claim(word, ++take, back);
            whole = whole && kept == back;
            back = kept;
        }
        if (!whole && back == 0)
            return;
        int64_t change_ns = whole ? back_ns : (int64_t)(back << shift);
        if (atomic_compare_exchange_strong(&word->tat_ns, &tat_ns,
                                           weir__ns_add(tat_ns, -change_ns)))
            return;
    }
}

/* ---- reserving ---- */

static struct weir__bucket bucket_now(const weir_shared *shared, unsigned i)
{
    struct weir__bucket bucket = shared->limits.list[i].bucket;
    bucket.tat_ns = atomic_load(&shared->page->words[i].tat_ns);
    return bucket;
}

static uint64_t wanted(const weir_shared *shared, unsigned i, const struct weir__amounts *want)
{
    return want->of[shared->limits.list[i].unit];
}

int64_t weir__shared_open_ns(const weir_shared *shared)
{
    return atomic_load(&shared->page->open_ns);
}

int64_t weir__shared_slot_ns(const weir_shared *shared, const struct weir__booking *own,
                             const struct weir__amounts *ahead, const struct weir__amounts *want)
{
    int64_t latest_ns = weir__shared_open_ns(shared);
    for (unsigned i = 0; i < shared->limits.count; i++) {
        uint64_t amount = wanted(shared, i, want), before = wanted(shared, i, ahead);
        uint64_t booked = own->held ? wanted(shared, i, &own->want) : 0;
        if (amount == 0)
            continue;
        struct weir__bucket bucket = bucket_now(shared, i);
        before -= before < booked ? before : booked;
        int64_t slot_ns = weir__bucket_slot_ns(&bucket, before, amount);
        if (slot_ns > latest_ns)
            latest_ns = slot_ns;
    }
    return latest_ns;
}

unsigned weir__shared_narrowest(const weir_shared *shared, const struct weir__amounts *want)
{
    int64_t latest_ns = INT64_MIN;
    unsigned unit = WEIR_REQUESTS;
    for (unsigned i = 0; i < shared->limits.count; i++) {
        struct weir__bucket bucket = bucket_now(shared, i);
        uint64_t amount = wanted(shared, i, want);
        int64_t slot_ns = amount > 0 ? weir__bucket_slot_ns(&bucket, 0, amount) : INT64_MIN;
        if (slot_ns > latest_ns) {
            latest_ns = slot_ns;
            unit = shared->limits.list[i].unit;
        }
    }
    return unit;
}

static void leave_notes(weir_shared *shared, const struct weir__booking *booking, bool took)
{
    for (unsigned i = 0; i < shared->limits.count; i++) {
        bool from_here = took && wanted(shared, i, &booking->want) > 0;
        leave_note(&shared->page->words[i], &shared->limits.list[i].bucket, booking->mark,
                   from_here ? weir__ns_add(booking->before_ns[i], -booking->slot_ns) : INT64_MAX);
    }
}

/* Undoes the first n limits of a booking. */
static void undo(weir_shared *shared, const struct weir__booking *booking, unsigned n)
{
    for (unsigned i = n; i-- > 0;) {
        int64_t seen_ns = booking->after_ns[i];
        if (wanted(shared, i, &booking->want) == 0 ||
            atomic_compare_exchange_strong(&shared->page->words[i].tat_ns, &seen_ns,
                                           booking->before_ns[i]))
            continue;
        give_back(shared, i, booking->mark,
                  weir__bucket_cost_ns(&shared->limits.list[i].bucket,
                                       wanted(shared, i, &booking->want)));
    }
}

/* Moves the words from before_ns, in order and all or none, by what booking->want takes as of
 * slot_ns. false: somebody else was faster. */
static bool move_words(weir_shared *shared, struct weir__booking *booking)
{
    booking->mark = atomic_fetch_add(&shared->page->takes, 1) + 1;
    leave_notes(shared, booking, true);
    for (unsigned i = 0; i < shared->limits.count; i++) {
        uint64_t amount = wanted(shared, i, &booking->want);
        struct weir__bucket bucket = shared->limits.list[i].bucket;
        int64_t seen_ns = bucket.tat_ns = booking->before_ns[i];
        if (amount == 0)
            continue;
        weir__bucket_take(&bucket, amount, booking->slot_ns);
        booking->after_ns[i] = bucket.tat_ns;
        if (!atomic_compare_exchange_strong(&shared->page->words[i].tat_ns, &seen_ns,
                                            bucket.tat_ns)) {
            undo(shared, booking, i);
            leave_notes(shared, booking, false);
            return false;
        }
    }
    return true;
}

void weir__shared_book(weir_shared *shared, struct weir__booking *booking,
                       const struct weir__amounts *want, int64_t from_ns, int64_t now_ns)
{
    booking->want = *want;
    do {
        int64_t slot_ns = weir__shared_open_ns(shared);
        for (unsigned i = 0; i < shared->limits.count; i++) {
            struct weir__bucket bucket = bucket_now(shared, i);
            uint64_t amount = wanted(shared, i, want);
            booking->before_ns[i] = bucket.tat_ns;
            int64_t own_ns = amount > 0 ? weir__bucket_slot_ns(&bucket, 0, amount) : INT64_MIN;
            if (own_ns > slot_ns)
                slot_ns = own_ns;
        }
        booking->slot_ns = slot_ns < from_ns ? now_ns : slot_ns;
    } while (!move_words(shared, booking));
    booking->held = true;
}

void weir__shared_unbook(weir_shared *shared, struct weir__booking *booking)
{
    booking->held = false;
    undo(shared, booking, shared->limits.count);
    leave_notes(shared, booking, false);
}

bool weir__booking_serves(const struct weir__booking *booking, const struct weir__amounts *want,
                          int64_t open_ns, int64_t now_ns)
{
    return memcmp(&booking->want, want, sizeof *want) == 0 && booking->slot_ns >= open_ns &&
           now_ns - booking->slot_ns <= WEIR__SLOT_LATE_NS;
}

/* ---- afterwards ---- */

/* Takes what was used beyond what was reserved, whether it is there or not. */
static void take_debt(weir_shared *shared, const struct weir__amounts *debt, int64_t now_ns)
{
    struct weir__booking booking = {.want = *debt, .slot_ns = now_ns};
    do {
        for (unsigned i = 0; i < shared->limits.count; i++)
            booking.before_ns[i] = atomic_load(&shared->page->words[i].tat_ns);
    } while (!move_words(shared, &booking));
}

void weir__shared_settle(weir_shared *shared, uint64_t mark, const struct weir__amounts *taken,
                         const struct weir__amounts *used, int64_t now_ns)
{
    struct weir__amounts debt = {{0}};
    bool owed = false;
    for (unsigned i = 0; i < shared->limits.count; i++) {
        const struct weir__bucket *bucket = &shared->limits.list[i].bucket;
        uint64_t had = wanted(shared, i, taken), cost = wanted(shared, i, used);
        if (cost < had)
            give_back(shared, i, mark,
                      weir__bucket_cost_ns(bucket, had) - weir__bucket_cost_ns(bucket, cost));
    }
    for (unsigned unit = 0; unit < WEIR__UNITS; unit++) {
        if (used->of[unit] > taken->of[unit])
            debt.of[unit] = used->of[unit] - taken->of[unit];
        owed = owed || debt.of[unit] > 0;
    }
    if (owed)
        take_debt(shared, &debt, now_ns);
}

static void raise_to(_Atomic int64_t *word, int64_t value)
{
    int64_t seen = atomic_load(word);
    while (seen < value && !atomic_compare_exchange_weak(word, &seen, value)) {
    }
}

void weir__shared_pause(weir_shared *shared, int64_t open_ns)
{
    if (open_ns <= weir__shared_open_ns(shared))
        return;
    raise_to(&shared->page->open_ns, open_ns);
    for (unsigned i = 0; i < shared->limits.count; i++) {
        struct weir__bucket bucket = shared->limits.list[i].bucket;
        weir__bucket_empty_at(&bucket, open_ns);
        if (bucket.rate > 0)
            raise_to(&shared->page->words[i].tat_ns, bucket.tat_ns);
    }
}
