/* A task whose stack overflows ends the process with a message that names it. */
#include "rig.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "task/sched.h"

/* Tells the compiler that somebody looks at it, so that it is not left out. */
static void look_at(const volatile char *memory)
{
    __asm__ volatile("" : : "r"(memory) : "memory");
}

static __attribute__((noinline)) int dig(int depth)
{
    volatile char hole[2000];
    hole[0] = (char)depth;
    look_at(hole);
    return depth == 0 ? hole[0] : dig(depth - 1) + hole[0];
}

static int dig_deep(void *arg)
{
    (void)arg;
    return dig(100000) & 1;
}

/* One frame larger than the guard: without -fstack-clash-protection it would write into the
 * neighbour's stack. */
static __attribute__((noinline)) int large_frame(void *arg)
{
    volatile char hole[WEIR__FIBER_STACK_KIB * 1024 + 40000];
    (void)arg;
    hole[0] = 0;
    look_at(hole);
    return hole[0];
}

struct scene {
    weir_task_fn fn;
    bool light;
    bool own_handler;
};

static int two_tasks(void *arg)
{
    const struct scene *scene = arg;
    weir_group *group = rig_group();
    struct job job = {.ms = 1000};
    weir__rt()->default_stacks->light = scene->light;
    weir_spawn_named(group, job_run, &job, "innocent");
    weir_spawn_named(group, scene->fn, NULL, "digger");
    weir_yield();
    return weir_group_free(group);
}

static void on_fault(int signum)
{
    _exit(signum + 50);
}

static void play(void *arg)
{
    const struct scene *scene = arg;
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    if (scene->own_handler)
        sigaction(SIGSEGV, &action, NULL);
    weir_run(two_tasks, arg, WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL));
}

static bool died(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void names_the_task(struct scene *scene)
{
    char text[65536];
    int status = rig_in_child(play, scene, text, sizeof text);
    if (!died(status) || strstr(text, "weir: stack overflow in task 'digger' (#3)") == NULL)
        print_error("status %d: %s\n", status, text);
    assert_true(died(status));
    assert_non_null(strstr(text, "weir: stack overflow in task 'digger' (#3)"));
    assert_non_null(strstr(text, "stack_kib"));
    assert_null(strstr(text, "innocent"));
}

static void too_deep(void **state)
{
    struct scene scene = {.fn = dig_deep, .light = true};
    (void)state;
    names_the_task(&scene);
    scene.light = false;
    names_the_task(&scene);
}

static void too_large_a_frame(void **state)
{
    struct scene scene = {.fn = large_frame, .light = true};
    (void)state;
    names_the_task(&scene);
    scene.light = false;
    names_the_task(&scene);
}

static void a_handler_of_the_program_runs_after_it(void **state)
{
    struct scene scene = {.fn = dig_deep, .light = true, .own_handler = true};
    char text[4096];
    (void)state;
    int status = rig_in_child(play, &scene, text, sizeof text);
    assert_non_null(strstr(text, "'digger'"));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == SIGSEGV + 50);
}

/* ---- other faults ---- */

static int touch_nothing(void *arg)
{
    volatile char *volatile nowhere = (volatile char *)((uintptr_t)arg + 64);
    *nowhere = 1;
    return 0;
}

static int signal_oneself(void *arg)
{
    (void)arg;
    kill(getpid(), SIGSEGV);
    for (int i = 0; i < 1000; i++) /* it is on its way */
        weir_yield();
    return 0;
}

static void other_faults_are_left_alone(void **state)
{
    struct scene scenes[] = {{.fn = touch_nothing, .light = true},
                             {.fn = signal_oneself, .light = true}};
    char text[65536];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int status = rig_in_child(play, &scenes[i], text, sizeof text);
        assert_true(died(status));
        assert_null(strstr(text, "weir:"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_deep),
        cmocka_unit_test(too_large_a_frame),
        cmocka_unit_test(a_handler_of_the_program_runs_after_it),
        cmocka_unit_test(other_faults_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
