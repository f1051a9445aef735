/* A request's body that is read while it is sent, as the attempts of the request share it. */
#ifndef WEIR_CLIENT_SOURCE_H
#define WEIR_CLIENT_SOURCE_H

#include <stdbool.h>

#include <weir/body.h>

#include "base/buf.h"
#include "http/response.h"

struct weir__source {
    struct weir_body given;   /* .read NULL: the request has none */
    struct weir_body counted; /* the same, that counts and checks what is read. In both, length
                                 is -1 where it is not known */
    int64_t read;             /* bytes, in this attempt */
    bool touched;             /* something was read, or tried to be */
    int failure;              /* of this attempt's reading */
    struct weir__buf whole;   /* for a transport that takes no other */
};

/* 0, or WEIR_EINVAL. `given` may be NULL. */
int weir__source_init(struct weir__source *source, const struct weir_body *given);
void weir__source_free(struct weir__source *source);

static inline bool weir__source_is_given(const struct weir__source *source)
{
    return source->given.read != NULL;
}

/* Whether another attempt can have the same body. */
bool weir__source_can_repeat(const struct weir__source *source);

/* Makes it ready for an attempt. libcurl: as it is; else all of it is read into the exchange's body
 * at once. 0; else a code, and the response says why. */
int weir__source_begin(struct weir__source *source, bool libcurl, struct weir_exchange *exchange,
                       weir_response *response);

/* What the attempt comes to, whose transport returned rc: WEIR_EBODY, and the response says why, if
 * its body could not be had. */
int weir__source_result(const struct weir__source *source, int rc, weir_response *response);

#endif
