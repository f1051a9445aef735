/* The inside of a client. */
#ifndef WEIR_CLIENT_CLIENT_H
#define WEIR_CLIENT_CLIENT_H

#include <weir/client.h>

#include "admission/admission.h"
#include "client/circuit.h"
#include "client/hedge.h"
#include "http/url.h"

struct weir_client {
    struct weir__rt *rt;
    struct weir__base base;
    char **headers; /* NULL at the end; never NULL itself */
    weir_limiter *limiter;
    bool own_limiter;
    struct weir_retry_opts retry;
    struct weir_transport transport;
    struct weir__circuit *circuit; /* NULL: none */
    struct weir__hedger *hedger;   /* NULL: none */
    int64_t timeout_ms, attempt_timeout_ms;
    size_t max_body;
    size_t calls; /* under way */
};

/* A request made ready to be sent: what the transport gets, and what it is made of. */
struct weir__prepared {
    struct weir_exchange exchange;
    char *url;
    const char **headers; /* NULL: the client's own list serves */
};

/* 0, WEIR_EURL, WEIR_EHEADER, WEIR_EINVAL, WEIR_ENOMEM. Borrows from client and request. */
int weir__prepare(weir_client *client, const struct weir_request *request,
                  struct weir__prepared *prepared);
void weir__prepared_free(struct weir__prepared *prepared);

#endif
