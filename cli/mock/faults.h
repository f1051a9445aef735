/*
 * The faults that the server can be asked to commit, each with a probability per admitted request.
 */
#ifndef WEIR_MOCK_FAULTS_H
#define WEIR_MOCK_FAULTS_H

#include <stddef.h>

/* X(name in C, name on the command line, what happens) */
#define MOCK_FAULT_MAP(X)                                                                          \
    X(RESET, "reset", "the connection is reset instead of an answer")                              \
    X(TRUNCATE, "truncate", "half of the body, then the connection closes")                        \
    X(STALL, "stall", "never an answer")                                                           \
    X(GARBAGE, "garbage", "bytes that are not HTTP, then the connection closes")                   \
    X(500, "500", "status 500")                                                                    \
    X(503, "503", "status 503 with Retry-After: 1")                                                \
    X(SLOW, "slow", "the body in small pieces over about half a second")                           \
    X(MISFIT, "misfit", "JSON for a schema that does not fit it; nothing without one")

enum mock_fault {
#define X(name, word, what) MOCK_FAULT_##name,
    MOCK_FAULT_MAP(X)
#undef X
        MOCK_FAULT_KINDS,
    MOCK_FAULT_NONE = MOCK_FAULT_KINDS,
};

struct mock_faults {
    double share[MOCK_FAULT_KINDS]; /* probabilities; their sum is at most 1 */
};

/* The kind's name on the command line, and what it does in a few words. */
const char *mock_fault_word(enum mock_fault kind);
const char *mock_fault_what(enum mock_fault kind);

/* The kind of that name (`len` bytes), or MOCK_FAULT_NONE. */
enum mock_fault mock_fault_find(const char *word, size_t len);

/* The fault that a draw in [0, 1) hits: at most one, each as often as its share says. */
enum mock_fault mock_faults_pick(const struct mock_faults *faults, double draw);

#endif
