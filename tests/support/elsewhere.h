/* Places that are not the runtime of the calling thread. Each call blocks until fn has returned. */
#ifndef WEIR_TESTS_ELSEWHERE_H
#define WEIR_TESTS_ELSEWHERE_H

#include <weir/task.h>

/* On another thread: as the first task of a runtime of its own, under the virtual clock; or in no
 * runtime at all. */
void in_other_runtime(weir_task_fn fn, void *arg);
void on_other_thread(weir_task_fn fn, void *arg);

/* Those two, and this thread once its runtime has ended: without another, and in the next one. */
void after_the_end(weir_task_fn fn, void *arg);

#endif
