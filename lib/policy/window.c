#include "policy/window.h"

#include <stdbool.h>

#include "base/clock.h"

/* Debts and what was given back leave more cells than the rate has. */
enum { LEAST_CELLS = 64 };

/* One part in _PARTS of a period, and no more than the jitter of a usual network. */
enum { MARGIN_PARTS = 250 };
#define MARGIN_MAX_NS (50 * WEIR__NS_PER_MS)

static uint32_t room_for(uint64_t rate)
{
    if (rate < LEAST_CELLS)
        return LEAST_CELLS;
    return rate < WEIR__WINDOW_CELLS ? (uint32_t)rate : WEIR__WINDOW_CELLS;
}

size_t weir__window_size(uint64_t rate)
{
    return sizeof(struct weir__window) + room_for(rate) * sizeof(struct weir__window_cell);
}

int64_t weir__window_margin_ns(int64_t period_ns)
{
    int64_t margin_ns = period_ns / MARGIN_PARTS;
    return margin_ns < MARGIN_MAX_NS ? margin_ns : MARGIN_MAX_NS;
}

void weir__window_init(struct weir__window *window, uint64_t rate, int64_t period_ns,
                       int64_t margin_ns)
{
    *window = (struct weir__window){.rate = rate,
                                    .period_ns = period_ns,
                                    .margin_ns = margin_ns,
                                    .room = room_for(rate)};
}

static uint32_t place_of(const struct weir__window *window, uint32_t i)
{
    uint32_t place = window->first + i; /* below 2 * room */
    return place < window->room ? place : place - window->room;
}

static struct weir__window_cell *cell_at(struct weir__window *window, uint32_t i)
{
    return &window->cells[place_of(window, i)];
}

/* When what was taken at at_ns is out of every window that a grant would be in. */
static int64_t leaves_ns(const struct weir__window *window, int64_t at_ns)
{
    return weir__ns_add(weir__ns_add(at_ns, window->period_ns), window->margin_ns + 1);
}

/* When so much of the log has left that `amount` fits. */
static int64_t fits_ns(const struct weir__window *window, uint64_t amount)
{
    uint64_t left = window->used;
    int64_t when_ns = INT64_MIN;
    for (uint32_t i = 0;
         i < window->count && (amount > window->rate || left > window->rate - amount); i++) {
        const struct weir__window_cell *cell = &window->cells[place_of(window, i)];
        left -= cell->amount;
        when_ns = leaves_ns(window, cell->at_ns);
    }
    return when_ns;
}

int64_t weir__window_slot_ns(const struct weir__window *window, uint64_t ahead, uint64_t amount)
{
    uint64_t total;
    if (__builtin_add_overflow(ahead, amount, &total))
        total = UINT64_MAX;
    /* Each whole rate ahead is a period later. */
    uint64_t periods = total > 0 ? (total - 1) / window->rate : 0;
    int64_t slot_ns = fits_ns(window, total - periods * window->rate);
    int64_t wait_ns;
    if (periods == 0 || slot_ns == INT64_MIN)
        return slot_ns;
    if (periods > INT64_MAX ||
        __builtin_mul_overflow((int64_t)periods, leaves_ns(window, 0), &wait_ns))
        return INT64_MAX;
    return weir__ns_add(slot_ns, wait_ns);
}

static void drop_first(struct weir__window *window)
{
    window->used -= cell_at(window, 0)->amount;
    window->first = place_of(window, 1);
    window->count--;
}

static void forget(struct weir__window *window, int64_t now_ns)
{
    while (window->count > 0 && leaves_ns(window, cell_at(window, 0)->at_ns) <= now_ns)
        drop_first(window);
}

static void drop_empty(struct weir__window *window)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < window->count; i++) {
        struct weir__window_cell cell = *cell_at(window, i);
        if (cell.amount > 0)
            *cell_at(window, kept++) = cell;
    }
    window->count = kept;
}

/* One cell for each grain of time: a period has half as many of them as there are cells. */
static void merge(struct weir__window *window)
{
    int64_t grain_ns = window->period_ns / (window->room / 2) + 1;
    uint32_t kept = 0;
    for (uint32_t i = 1; i < window->count; i++) {
        struct weir__window_cell cell = *cell_at(window, i), *last = cell_at(window, kept);
        if (cell.at_ns / grain_ns == last->at_ns / grain_ns) {
            last->amount += cell.amount;
            last->at_ns = cell.at_ns;
        } else {
            *cell_at(window, ++kept) = cell;
        }
    }
    window->count = kept + 1;
}

static void make_room(struct weir__window *window)
{
    if (window->count == window->room)
        drop_empty(window);
    if (window->count == window->room)
        merge(window);
}

void weir__window_take(struct weir__window *window, uint64_t amount, int64_t at_ns)
{
    if (amount == 0)
        return;
    forget(window, at_ns);
    if (amount > UINT64_MAX / 2 - window->used)
        amount = UINT64_MAX / 2 - window->used;
    struct weir__window_cell *last = window->count > 0 ? cell_at(window, window->count - 1) : NULL;
    window->used += amount;
    if (last != NULL && last->at_ns >= at_ns) {
        last->amount += amount;
        return;
    }
    make_room(window);
    *cell_at(window, window->count++) = (struct weir__window_cell){at_ns, amount};
}

void weir__window_refund(struct weir__window *window, uint64_t amount, int64_t taken_ns)
{
    for (uint32_t i = 0; i < window->count; i++) {
        struct weir__window_cell *cell = cell_at(window, i);
        if (cell->at_ns < taken_ns)
            continue;
        if (amount > cell->amount)
            amount = cell->amount;
        cell->amount -= amount;
        window->used -= amount;
        if (cell->amount == 0 && i + 1 == window->count)
            window->count--;
        return;
    }
}

void weir__window_inherit(struct weir__window *window, const struct weir__window *from,
                          int64_t now_ns)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct weir__window_cell *cell = &from->cells[place_of(from, i)];
        if (leaves_ns(window, cell->at_ns) > now_ns)
            weir__window_take(window, cell->amount, cell->at_ns);
    }
}
