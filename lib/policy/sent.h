/* What a request remembers of its sending, so that its answer can be put in order. */
#ifndef WEIR_POLICY_SENT_H
#define WEIR_POLICY_SENT_H

#include <stdint.h>

#include "policy/told.h"

/* Sums of amounts by unit. */
struct weir__sums {
    uint64_t of[WEIR__UNITS];
};

struct weir__sent {
    int64_t at_ns;
    uint64_t serial;         /* 1, 2, ... in the order of sending */
    struct weir__sums total; /* of what was sent so far, with it */
};

#endif
