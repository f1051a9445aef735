/* A gate where threads wait until a test lets them go on. Who waits for longer than 20 s goes on,
 * and the test fails. */
#ifndef WEIR_TESTS_GATE_H
#define WEIR_TESTS_GATE_H

#include <pthread.h>
#include <stdbool.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned come; /* so far */
    unsigned open; /* so many may pass, the first to come first */
    bool late;
};
#define GATE_SHUT                                                                                  \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

/* Each of these blocks its thread, but for gate_open and gate_come. */
void gate_pass(struct gate *gate);                  /* comes, and waits until it may pass */
void gate_come(struct gate *gate);                  /* is counted, and does not wait */
void gate_await(struct gate *gate, unsigned count); /* until so many have come */
void gate_open(struct gate *gate, unsigned count);  /* for so many more */

#endif
