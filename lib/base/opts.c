#include "base/opts.h"

#include <string.h>

#include <weir/err.h>

enum { GROWTH_MAX = 1024 }; /* a larger one is no size but something that nobody set */

int weir__opts_copy(void *to, size_t size, const void *from)
{
    size_t given = size;
    memset(to, 0, size);
    if (from != NULL) {
        memcpy(&given, from, sizeof given);
        if (given < sizeof given || given > size + GROWTH_MAX)
            return WEIR_EINVAL;
        memcpy(to, from, given < size ? given : size);
    }
    for (size_t i = size; i < given; i++) {
        if (((const char *)from)[i] != 0)
            return WEIR_EINVAL;
    }
    memcpy(to, &size, sizeof size);
    return 0;
}
