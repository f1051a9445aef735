/* The waiting side of the circuit breaker. Every function takes NULL for a client without one,
 * which lets all through. */
#ifndef WEIR_CLIENT_CIRCUIT_H
#define WEIR_CLIENT_CIRCUIT_H

#include "admission/admission.h"
#include "http/response.h"
#include "policy/breaker.h"

struct weir__circuit;

/* What lets one attempt through. Begin with all zero. */
struct weir__pass {
    uint64_t epoch;
    bool held;       /* between _enter and _leave */
    bool again;      /* the attempt is a retry */
    uint64_t opened; /* as many times when the retry began to wait; 0: it did not */
};

/* A circuit in *out, NULL when opts is. WEIR_EINVAL, WEIR_ENOMEM. */
int weir__circuit_new(struct weir__circuit **out, struct weir__rt *rt,
                      const struct weir_breaker_opts *opts);
void weir__circuit_free(struct weir__circuit *circuit);

/* The earliest start of an attempt, as far as the circuit is concerned and knows; INT64_MIN: at
 * once. */
int64_t weir__circuit_earliest_ns(const struct weir__circuit *circuit);

/* Waits, holding nothing, until an attempt would be let through. Takes nothing: what is admitted
 * then asks _enter. 0, WEIR_EOPEN, WEIR_EDEADLINE (it would be later than last_ns or the caller's
 * deadline), WEIR_ECANCELED, WEIR_ECLOSED (the limiter, which is in use, was closed). */
int weir__circuit_await(struct weir__circuit *circuit, weir_limiter *limiter,
                        struct weir__pass *pass, int64_t last_ns);

/* Lets the attempt through, or not. Does not suspend. */
bool weir__circuit_enter(struct weir__circuit *circuit, struct weir__pass *pass);

/* As _enter, but only through a closed circuit. */
bool weir__circuit_enter_closed(struct weir__circuit *circuit, struct weir__pass *pass);

/* The attempt has ended as the response says. */
void weir__circuit_leave(struct weir__circuit *circuit, struct weir__pass *pass,
                         const weir_response *response);

/* Nothing came of the attempt: it was never made. */
void weir__circuit_give_back(struct weir__circuit *circuit, struct weir__pass *pass);

/* Says in the response of a refused call what the last failure was. */
void weir__circuit_explain(const struct weir__circuit *circuit, weir_response *response);

/* Fills *stats but for its size. */
void weir__circuit_figures(const struct weir__circuit *circuit, int64_t at_ns,
                           struct weir_breaker_stats *stats);

#endif
