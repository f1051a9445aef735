/* As as_completed, with two requests in flight at most (asyncio.Semaphore).
 * Usage: as_completed_semaphore BASE_URL */
#include "questions.h"

static weir_client *api;
static weir_semaphore *two_at_a_time;

static int ask(void *question) /* an async function */
{
    int rc = weir_semaphore_acquire(two_at_a_time);
    if (rc == 0) {
        rc = question_ask(question, api);
        weir_semaphore_release(two_at_a_time);
    }
    return rc;
}

static int run(void *base_url)
{
    weir_group *group = NULL;
    int rc = weir_client_new(&api, WEIR_CLIENT_OPTS(.base_url = base_url));
    if (rc == 0)
        rc = weir_semaphore_new(&two_at_a_time, 2, 0);
    if (rc == 0)
        rc = weir_group_new(&group, NULL);
    for (int i = 0; i < QUESTIONS && rc == 0; i++)
        weir_spawn(group, ask, &questions[i]);
    weir_task *task;
    while (rc == 0 && (task = weir_as_completed(group)) != NULL) {
        rc = weir_task_status(task);
        if (rc == 0)
            question_show(weir_task_arg(task));
    }
    weir_group_free(group);
    weir_semaphore_free(two_at_a_time);
    weir_client_free(api);
    return rc;
}

int main(int argc, char **argv)
{
    return questions_main(argc, argv, run);
}
