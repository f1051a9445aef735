/* All at the same time, answers in the order of the questions (asyncio.gather).
 * Usage: gather BASE_URL */
#include "questions.h"

static weir_client *api;

static int ask(void *question) /* an async function */
{
    return question_ask(question, api);
}

static int run(void *base_url)
{
    weir_group *group = NULL;
    int rc = weir_client_new(&api, WEIR_CLIENT_OPTS(.base_url = base_url));
    if (rc == 0)
        rc = weir_group_new(&group, NULL);
    for (int i = 0; i < QUESTIONS && rc == 0; i++)
        weir_spawn(group, ask, &questions[i]);
    if (rc == 0)
        rc = weir_gather(group);
    for (int i = 0; i < QUESTIONS && rc == 0; i++)
        question_show(&questions[i]);
    weir_group_free(group);
    weir_client_free(api);
    return rc;
}

int main(int argc, char **argv)
{
    return questions_main(argc, argv, run);
}
