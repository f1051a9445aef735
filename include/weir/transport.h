/* What carries an attempt: libcurl unless you give another. A modelled server that sleeps on the
 * virtual clock lets you test an hour of rate-limited work in milliseconds. */
#ifndef WEIR_TRANSPORT_H
#define WEIR_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include <weir/http.h>
#include <weir/opts.h>

/* One attempt to be carried out. Borrowed for the time of the call. */
struct weir_exchange {
    const char *method;
    const char *url;            /* absolute */
    const char *const *headers; /* "Name: value", NULL at the end, never NULL itself */
    const void *body;           /* NULL: none */
    size_t body_len;
    int replay;         /* nonzero: may be carried out again if it is lost; not by the transport */
    int64_t timeout_ms; /* backstop for this attempt; 0: none */
    unsigned attempt;   /* 1, 2, ... */
    const struct weir_body *body_from; /* given to libcurl's transport alone: for yours such a body
                                          has been read into the one above */
    int64_t idle_ms;                   /* as of the request, to be obeyed by a transport that can */
    int64_t idle_first_ms;             /* and the same */
};

/* Carries out the exchange in the calling task and fills the response: its status, headers and body
 * with the functions below. May suspend. Returns 0 when an answer came to its end, else a WEIR_E
 * code, having called weir_response_set_failure to say what is known. When a wait inside returns
 * WEIR_ECANCELED, it must end what it began and return WEIR_ECANCELED. */
typedef int (*weir_transport_fn)(void *self, const struct weir_exchange *exchange,
                                 weir_response *response);

struct weir_transport {
    size_t size; /* set by WEIR_TRANSPORT */
    weir_transport_fn perform;
    void *self;               /* first argument of both functions */
    void (*free)(void *self); /* called when the client is freed; may be NULL */
};
#define WEIR_TRANSPORT(...) WEIR__VALUE(weir_transport, __VA_ARGS__)

#ifdef __cplusplus
extern "C" {
#endif

/* Starts the answer: forgets headers and body that came before. status is 100 to 599, else
 * WEIR_EINVAL. */
WEIR_API int weir_response_set_status(weir_response *response, int status);

/* Adds a header. WEIR_EHEADER for an empty name or control characters, WEIR_EHEADERSIZE over the
 * maximum of 256 KiB in all, WEIR_ENOMEM. */
WEIR_API int weir_response_add_header(weir_response *response, const char *name, const char *value);

/* Appends to the body. WEIR_EBODYSIZE over the client's maximum, WEIR_ENOMEM. */
WEIR_API int weir_response_append(weir_response *response, const void *data, size_t len);

/* Says what is known of an attempt that failed; text is copied and cut at 255 bytes, control
 * characters are replaced by '?', and keys, passwords and their like (log.h) by "***". */
WEIR_API void weir_response_set_failure(weir_response *response, enum weir_sent sent,
                                        const char *text);

#ifdef __cplusplus
}
#endif

#endif
