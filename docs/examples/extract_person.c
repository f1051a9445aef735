/* Typed values out of prose: each text becomes a struct person, all texts at once under one
 * limiter. An answer that does not fit is asked for again, with the reason. docs/guide/llm.md
 * Usage: extract_person openai|anthropic|compatible [BASE_URL [MODEL]] */
#include <stdio.h>
#include <string.h>

#include <weir/llm.h>
#include <weir/weir.h>

struct person {
    const char *text; /* where it is found */
    char name[64];
    int age; /* years */
    char city[64];
    unsigned asks;
    int rc;
};

enum { PEOPLE = 6 };

static struct person people[PEOPLE] = {
    {.text = "Ada Lovelace, 36, lived in London."},
    {.text = "At 53 Alan Kay moved to Glendale."},
    {.text = "Grace Hopper of Arlington worked on until she was 79."},
    {.text = "Edsger Dijkstra, aged 54, went to Austin."},
    {.text = "Barbara Liskov, 48, teaches in Cambridge."},
    {.text = "In Geneva they still speak of Niklaus Wirth, 30 at the time."},
};

static const char schema[] =
    "{\"type\":\"object\","
    " \"properties\":{\"name\":{\"type\":\"string\"},"
    "                 \"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":130},"
    "                 \"city\":{\"type\":\"string\"}},"
    " \"required\":[\"name\",\"age\",\"city\"],\"additionalProperties\":false}";

static weir_llm *llm;

/* What the schema cannot say, and what servers do not keep to. */
static int read_person(json_t *answer, void *result, char *why, size_t size)
{
    struct person *person = result;
    const char *name, *city;
    json_error_t error;
    if (json_unpack_ex(answer, &error, JSON_STRICT, "{s:s, s:i, s:s}", "name", &name, "age",
                       &person->age, "city", &city) < 0) {
        snprintf(why, size, "%s", error.text);
        return WEIR_ESHAPE;
    }
    if (name[0] == '\0' || person->age < 0 || person->age > 130) {
        snprintf(why, size, "name must not be empty, and age must lie within 0 and 130");
        return WEIR_ESHAPE;
    }
    snprintf(person->name, sizeof person->name, "%s", name);
    snprintf(person->city, sizeof person->city, "%s", city);
    return 0;
}

static int extract_person(void *arg) /* an async function */
{
    struct person *person = arg;
    struct weir_llm_answer *answer = NULL;
    int rc = weir_llm_extract(llm,
                              WEIR_LLM_REQUEST(.system = "Extract the person in the text.",
                                               .prompt = person->text, .max_tokens = 200,
                                               .temperature = -1, .schema = schema,
                                               .schema_name = "person"),
                              read_person, person, &answer);
    if (rc < 0 && answer != NULL)
        fprintf(stderr, "%s: %s\n", person->text, answer->error);
    if (answer != NULL)
        person->asks = answer->asks;
    weir_llm_answer_free(answer);
    person->rc = rc;
    return rc;
}

static int extract_all(void)
{
    weir_group *group = NULL;
    int rc = weir_group_new(&group, NULL);
    for (int i = 0; i < PEOPLE && rc == 0; i++)
        weir_spawn(group, extract_person, &people[i]);
    if (rc == 0)
        rc = weir_gather(group);
    for (int i = 0; i < PEOPLE && group != NULL; i++) {
        const struct person *found = &people[i];
        if (found->rc == 0)
            printf("%s, %d, %s (asks: %u)\n", found->name, found->age, found->city, found->asks);
    }
    weir_group_free(group);
    return rc;
}

static int run(void *arg)
{
    struct weir_llm_opts *opts = arg;
    weir_limiter *limiter = NULL;
    int rc = weir_limiter_new(&limiter, WEIR_LIMITER_OPTS(.rate = 50, .period_ms = 1000, .burst = 3,
                                                          .concurrency = 3));
    opts->client = WEIR_CLIENT_OPTS(.limiter = limiter, .timeout_ms = 60000);
    if (rc == 0)
        rc = weir_llm_new(&llm, opts);
    if (rc == 0)
        rc = extract_all();
    weir_llm_free(llm);
    weir_limiter_free(limiter);
    return rc;
}

int main(int argc, char **argv)
{
    static const char *const apis[] = {"openai", "anthropic", "compatible"};
    static const char *const models[] = {"gpt-4o-mini", "claude-3-5-haiku-latest", "llama3.2"};
    size_t api = 0;
    while (argc > 1 && api < 3 && strcmp(argv[1], apis[api]) != 0)
        api++;
    if (argc < 2 || api == 3) {
        fprintf(stderr, "usage: %s openai|anthropic|compatible [BASE_URL [MODEL]]\n", argv[0]);
        return 2;
    }
    int rc =
        weir_run(run,
                 WEIR_LLM_OPTS(.api = (enum weir_llm_api)api, .base_url = argc > 2 ? argv[2] : NULL,
                               .model = argc > 3 ? argv[3] : models[api]),
                 NULL);
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", argv[0], weir_strerror(rc));
    return rc < 0;
}
