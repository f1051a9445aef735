/* Questions that are read as they are answered, three at a time: the source may be as long as it
 * likes, memory depends on the three. Usage: map BASE_URL */
#include "questions.h"

static weir_client *api;

static int next_question(void *position, void **item) /* could read a file or a socket */
{
    int *at = position;
    if (*at == QUESTIONS)
        return 0;
    *item = &questions[(*at)++];
    return 1;
}

static int ask(void *position, void *item, void **result)
{
    (void)position;
    (void)result; /* lies in the item */
    return question_ask(item, api);
}

static int run(void *base_url)
{
    struct weir_mapped asked;
    weir_map *map = NULL;
    int at = 0;
    int rc = weir_client_new(&api, WEIR_CLIENT_OPTS(.base_url = base_url));
    if (rc == 0)
        rc = weir_map_new(&map, next_question, ask, WEIR_MAP_OPTS(.concurrency = 3, .arg = &at));
    while (rc == 0 && (rc = weir_map_next(map, &asked)) == 1) {
        rc = asked.status;
        if (rc == 0)
            question_show(asked.item);
    }
    weir_map_free(map);
    weir_client_free(api);
    return rc;
}

int main(int argc, char **argv)
{
    return questions_main(argc, argv, run);
}
