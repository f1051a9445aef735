/* One after the other: the simplest program, and the slowest.
 * Usage: sequential BASE_URL */
#include "questions.h"

static weir_client *api;

static int run(void *base_url)
{
    int rc = weir_client_new(&api, WEIR_CLIENT_OPTS(.base_url = base_url));
    for (int i = 0; i < QUESTIONS && rc == 0; i++) {
        rc = question_ask(&questions[i], api);
        if (rc == 0)
            question_show(&questions[i]);
    }
    weir_client_free(api);
    return rc;
}

int main(int argc, char **argv)
{
    return questions_main(argc, argv, run);
}
