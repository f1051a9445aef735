/* The k-th allocation fails, for every k, in a program that uses what there is. Whatever fails,
 * each call says so, nothing leaks and nothing hangs. */
#include "rig.h"

#include <weir/sync.h>

#include "base/mem.h"

struct program {
    weir_semaphore *semaphore;
    weir_group *group;
    struct job jobs[6];
    int permits_held;
};

static int work(void *arg)
{
    struct program *program = arg;
    weir_deadline limit;
    weir_deadline_begin_ms(&limit, 500);
    int rc = weir_semaphore_acquire(program->semaphore);
    if (rc == 0) {
        program->permits_held++;
        rc = weir_sleep_ms(10);
        program->permits_held--;
        weir_semaphore_release(program->semaphore);
    }
    return weir_deadline_end(&limit, rc);
}

static int with_a_group_of_its_own(void *arg)
{
    struct program *program = arg;
    weir_group *group;
    int rc = weir_group_new(&group, NULL);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 3; i++)
        weir_spawn(group, work, program);
    rc = weir_gather(group);
    weir_group_free(group);
    return rc;
}

static int with_group_and_semaphore(struct program *program)
{
    int rc = 0;
    for (int i = 0; i < 6; i++) {
        program->jobs[i] = (struct job){.ms = 7 * i};
        weir_spawn(program->group, i % 2 ? job_run : with_a_group_of_its_own,
                   i % 2 ? (void *)&program->jobs[i] : program);
    }
    for (weir_task *t; (t = weir_as_completed(program->group)) != NULL;) {
        if (rc == 0)
            rc = weir_task_status(t);
    }
    int gathered = weir_gather(program->group);
    check(rc == 0 || gathered < 0);
    return gathered;
}

static int program_run(void *arg)
{
    struct program *program = arg;
    int rc = weir_semaphore_new(&program->semaphore, 2, 0);
    if (rc == 0)
        rc = weir_group_new(&program->group, NULL);
    if (rc == 0)
        rc = with_group_and_semaphore(program);
    weir_group_free(program->group);
    if (program->semaphore != NULL) {
        check_int((int64_t)weir_semaphore_permits(program->semaphore), 2);
        check_int((int64_t)weir_semaphore_waiting(program->semaphore), 0);
    }
    check_int(program->permits_held, 0);
    weir_semaphore_free(program->semaphore);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    struct program program = {0};
    (void)state;
    assert_int_equal(rig_run(program_run, &program), 0); /* what a thread has once, it has now */
    weir__mem_fail_at(0);
    program = (struct program){0};
    assert_int_equal(rig_run(program_run, &program), 0);
    unsigned long count = weir__mem_fail_at(0);
    assert_true(count > 10);
    for (unsigned long k = 1; k <= count; k++) {
        program = (struct program){0};
        weir__mem_fail_at(k);
        int rc = rig_run(program_run, &program);
        weir__mem_fail_at(0);
        if (rc != WEIR_ENOMEM)
            print_error("allocation %lu of %lu failed and the run returned %d\n", k, count, rc);
        assert_int_equal(rc, WEIR_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
