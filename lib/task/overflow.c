/* Names the task whose stack overflowed, where the bare machine would only say "Segmentation
 * fault". Runs on a signal stack of its own, since the task's has no room left. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "task/sched.h"

enum { SIGNAL_STACK = 64 << 10 };

static struct sigaction previous;

static void say(const weir_task *task)
{
    char text[256];
    int len = snprintf(
        text, sizeof text,
        "weir: stack overflow in task '%s' (#%llu): its stack of %zu KiB is full; "
        "raise stack_kib of its group or of weir_run, or keep large arrays off the stack\n",
        task->name, (unsigned long long)task->id, task->group->stacks->stride / 1024);
    if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
        return; /* nowhere left to say it */
}

static weir_task *task_at(struct weir__rt *rt, const void *addr)
{
    weir_task *task = NULL;
    for (int i = 0; i < WEIR__STACK_CLASSES && task == NULL; i++)
        task = weir__stacks_owner(&rt->stacks[i], addr);
    return task;
}

static void on_fault(int signum, siginfo_t *info, void *context)
{
    (void)context;
    struct weir__rt *rt = weir__rt();
    bool sent = info->si_code <= 0; /* by kill: there is no address */
    weir_task *task = rt != NULL && !sent ? task_at(rt, info->si_addr) : NULL;
    if (task != NULL)
        say(task);
    /* The instruction runs again and faults for whoever was here before us: a debugger, a
     * sanitizer, or the default, which ends the process and leaves a core. */
    sigaction(signum, &previous, NULL);
    if (sent)
        raise(signum); /* no instruction would fault again */
}

static void install_handler(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_fault;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &previous);
}

static pthread_key_t stack_key;

static void drop_signal_stack(void *memory)
{
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    weir__free(memory);
}

static void set_up_process(void)
{
    install_handler();
    if (pthread_key_create(&stack_key, drop_signal_stack) != 0)
        stack_key = (pthread_key_t)-1;
}

/* The signal stack lives as long as the thread: it may run several runtimes, one after the other.
 */
void weir__overflow_guard_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up_process);
    stack_t stack;
    if (sigaltstack(NULL, &stack) != 0 || !(stack.ss_flags & SS_DISABLE))
        return; /* there is one: a sanitizer's, or the program's own */
    void *memory = stack_key != (pthread_key_t)-1 ? weir__alloc(SIGNAL_STACK) : NULL;
    if (memory == NULL)
        return; /* an overflow will die without its name */
    if (pthread_setspecific(stack_key, memory) != 0) {
        weir__free(memory);
        return;
    }
    stack = (stack_t){.ss_sp = memory, .ss_size = SIGNAL_STACK};
    sigaltstack(&stack, NULL); /* the memory is the thread's either way */
}
