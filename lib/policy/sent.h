/* What a request remembers of its sending, so that its answer can be put in order. */
#ifndef WEIR_POLICY_SENT_H
#define WEIR_POLICY_SENT_H

#include <stdint.h>

#include "policy/told.h"

struct weir__sent {
    int64_t at_ns;
    uint64_t serial;            /* 1, 2, ... in the order of sending */
    struct weir__amounts total; /* of what was sent so far, with it */
};

#endif
