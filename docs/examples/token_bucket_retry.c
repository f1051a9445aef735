/* A rate limit and retries, as aiolimiter and tenacity: at most 600 requests a minute, 3 at once
 * after a pause, up to 6 attempts each. When the server says "too fast", all requests wait until
 * the time it names. Usage: token_bucket_retry BASE_URL */
#include "questions.h"

static weir_client *api;

static int ask(void *question) /* an async function */
{
    return question_ask(question, api);
}

static int run(void *base_url)
{
    weir_group *group = NULL;
    int rc = weir_client_new(&api, WEIR_CLIENT_OPTS(.base_url = base_url, .rate = 600, .burst = 3,
                                                    .retry = WEIR_RETRY_OPTS(.max_attempts = 6)));
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
    weir_client_free(api);
    return rc;
}

int main(int argc, char **argv)
{
    return questions_main(argc, argv, run);
}
