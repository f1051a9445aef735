#include "base/opts.h"

#include <stdbool.h>
#include <string.h>

#include <weir/err.h>

enum { GROWTH_MAX = 1024 }; /* a larger one is no size but something that nobody set */

static bool is_size(size_t given, size_t size)
{
    return given >= sizeof given && given <= size + GROWTH_MAX;
}

int weir__opts_copy(void *to, size_t size, const void *from)
{
    size_t given = size;
    memset(to, 0, size);
    if (from != NULL) {
        memcpy(&given, from, sizeof given);
        if (!is_size(given, size))
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

int weir__opts_fill(void *to, size_t size, const void *from)
{
    size_t given;
    memcpy(&given, to, sizeof given);
    if (!is_size(given, size))
        return WEIR_EINVAL;
    memset(to, 0, given);
    memcpy(to, from, given < size ? given : size);
    memcpy(to, &given, sizeof given);
    return 0;
}
