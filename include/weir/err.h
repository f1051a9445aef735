/* Error codes. Functions return 0 (or a count) on success and a negative code of this list on
 * failure. errno is no part of the interface: a switch of tasks may change it. */
#ifndef WEIR_ERR_H
#define WEIR_ERR_H

#include <weir/version.h>

/* X(number, name, message): the one list from which codes, names and messages are made.
 * Numbers are part of the ABI: append, never renumber. */
#define WEIR_ERR_MAP(X)                                                                            \
    X(1, ENOMEM, "out of memory")                                                                  \
    X(2, EINVAL, "invalid argument or option")                                                     \
    X(3, ECANCELED, "cancelled")                                                                   \
    X(4, ETIMEDOUT, "deadline passed")                                                             \
    X(5, EDEADLINE, "refused: the wait would pass the deadline")                                   \
    X(6, ECLOSED, "closed: nothing new is admitted")                                               \
    X(7, EBUSY, "in use")                                                                          \
    X(8, EDEADLK, "deadlock: every task waits and nothing can wake one")                           \
    X(9, ENOTSUP, "not supported here")                                                            \
    X(10, ENORUNTIME, "no runtime on this thread, or no task to suspend: call it inside weir_run") \
    X(11, ENOSTACK, "no stack for another task (vm.max_map_count or memory is exhausted)")         \
    X(12, ENEVER, "can never be granted: more than the capacity")                                  \
    X(13, EIO, "input or output error")                                                            \
    X(14, EURL, "malformed or unsupported URL")                                                    \
    X(15, EHEADER, "malformed header (control character, no colon), or one that only weir sets")   \
    X(16, ERESOLVE, "host name could not be resolved")                                             \
    X(17, ECONNECT, "connection could not be made")                                                \
    X(18, ETLS, "TLS handshake failed")                                                            \
    X(19, ERESET, "connection lost before the answer was complete")                                \
    X(20, EPROTO, "the server's answer is not valid HTTP")                                         \
    X(21, EBODYSIZE, "the answer's body is over the maximum")                                      \
    X(22, EHEADERSIZE, "the answer's headers are over the maximum")                                \
    X(23, EJSON, "not valid JSON")                                                                 \
    X(24, ELINESIZE, "line over the maximum length")                                               \
    X(25, EATTEMPTTIME, "the attempt took longer than its time limit")                             \
    X(26, ETRANSFER, "transfer failed inside libcurl")                                             \
    X(27, EPAUSED, "refused: the server asked for a longer pause than server_wait_max_ms")         \
    X(28, EOPEN, "refused: the circuit is open after too many failures")                           \
    X(29, EAGAIN, "try again: returned by a function that is retried")                             \
    X(30, ESHARED, "the file for shared limits is damaged, another's, a link, or open to others")  \
    X(31, EMISMATCH, "the file for shared limits holds other limits")                              \
    X(32, EIDLE, "nothing came from the server for longer than the idle limit")                    \
    X(33, EEVENTSIZE, "a server-sent event is over the maximum")                                   \
    X(34, EKEYS, "no room for another limit key: all limiters of the set are in use")              \
    X(35, ECERT, "certificate not accepted, or one of your own that cannot be used")               \
    X(36, EBODY, "the request's body could not be read, or is not as long as was said")            \
    X(37, ELIBCURL, "the libcurl that is loaded is too old, or lacks what was asked for")          \
    X(38, ENOKEY, "no API key: none was given, and the environment has none")                      \
    X(39, EAPI, "the API answered with an error")                                                  \
    X(40, ESHAPE, "the answer has another shape than was asked for")                               \
    X(41, EREFUSED, "the model refused to answer")

enum weir_err {
#define WEIR_ERR_ENUM(number, name, message) WEIR_##name = -(number),
    WEIR_ERR_MAP(WEIR_ERR_ENUM)
#undef WEIR_ERR_ENUM
};

#ifdef __cplusplus
extern "C" {
#endif

/* The message of a code ("out of memory"); "success" for 0 and counts, "unknown error" for
 * others. Static storage, never NULL. */
WEIR_API const char *weir_strerror(int code);

/* The name of a code ("WEIR_ENOMEM"); "0" for 0 and counts, "WEIR_?" for others. Static. */
WEIR_API const char *weir_err_name(int code);

#ifdef __cplusplus
}
#endif

#endif
