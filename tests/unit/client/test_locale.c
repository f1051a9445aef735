/* In a program with a locale of its own nothing changes that goes to machines. In the Turkish one
 * the decimal point is a comma, and strcasecmp says that "ID" is not "id". */
#include "client_rig.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <weir/cjson.h>
#include <weir/jansson.h>
#include <weir/metrics.h>

#include "base/ascii.h"
#include "client/observe.h"
#include "http/redact.h"
#include "http/response.h"
#include "policy/duration.h"

extern char **environ;

static char folder[] = "/tmp/weir-locale-XXXXXX";

static int run_program(char *const *words)
{
    pid_t child;
    int status = -1;
    if (posix_spawnp(&child, words[0], NULL, NULL, words, environ) != 0)
        return -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

/* False: there is no localedef here, or it lacks what it makes locales of. */
static bool set_locale(void)
{
    char path[64];
    if (mkdtemp(folder) == NULL)
        return false;
    snprintf(path, sizeof path, "%s/tr_TR.UTF-8", folder);
    char *const words[] = {"localedef", "-i", "tr_TR", "-f", "UTF-8", path, NULL};
    setenv("LOCPATH", folder, 1);
    return run_program(words) == 0 && setlocale(LC_ALL, "tr_TR.UTF-8") != NULL;
}

static void remove_folder(void)
{
    char *const words[] = {"rm", "-r", folder, NULL};
    run_program(words);
}

/* ---- numbers ---- */

static void check_number(const char *text)
{
    size_t len = strcspn(text, "\n");
    check(len > 0 && strspn(text, "0123456789.") == len);
}

static int metrics_are_numbers(void *unused)
{
    struct model_server server = {
        .latency_ms = 10, .rate = 2, .burst = 2, .period_ms = 900, .says = MODEL_SAYS_NOTHING};
    static const char name[] = "\nweir_limiter_learned_requests_per_second ";
    static char text[10000];
    weir_client *client = CLIENT(&server, .rate = 0);
    (void)unused;
    for (int i = 0; i < 200; i++)
        ask(client, GET);
    check(weir_client_metrics_text((const weir_client *const[]){client}, NULL, 1, text,
                                   sizeof text) > 0);
    const char *rate = strstr(text, name) + strlen(name);
    check(rate[0] != '0' && strchr(rate, '.') != NULL); /* about 2.22 were learned */
    for (const char *line = strchr(text, '\n'); line != NULL; line = strchr(line + 1, '\n')) {
        if (line[1] != '#' && line[1] != '\0')
            check_number(line + strcspn(line, " ") + 1);
    }
    return done(client, &server);
}

static void keep(enum weir_log_level level, const char *text, void *arg)
{
    check_int(level, WEIR_LOG_DEBUG);
    snprintf(arg, 200, "%s", text);
}

static int times_have_points(void *unused)
{
    static const char *const headers[] = {NULL};
    const struct weir_exchange exchange = {.method = "GET", .url = "http://h/", .headers = headers};
    struct weir__observer observer = {.latency = {.count = 0}};
    weir_response *response = weir__response_new(0);
    struct weir_attempt at = {.number = 1, .status = 200, .response = response};
    char said[200];
    (void)unused;
    check_int(weir__observer_init(&observer,
                                  WEIR_LOG_OPTS(.fn = keep, .arg = said, .level = WEIR_LOG_DEBUG)),
              0);
    response->phases.first_byte_ns = 38049999;
    response->phases.body_ns = 250000;
    weir__observe_attempt_end(&observer, &exchange, &at, 41 * WEIR__NS_PER_MS, false);
    check(strstr(said, ", took 41 ms, ") != NULL);
    check(strstr(said, ", first byte 38.0, body 0.3") != NULL);
    weir_response_free(response);
    return 0;
}

static int json_has_points(void *unused)
{
    struct weir_json_error error;
    char *text = NULL;
    (void)unused;
    json_t *tree = json_pack("{s:f}", "a", 0.5);
    check_int(weir_jansson_text(tree, &text, NULL), 0);
    check(strcmp(text, "{\"a\":0.5}") == 0);
    json_decref(tree);
    check_int(weir_jansson_parse(text, strlen(text), &tree, &error), 0);
    check(json_real_value(json_object_get(tree, "a")) > 0.4);
    json_decref(tree);
    weir_json_text_free(text);

    cJSON *number = NULL;
    check_int(weir_cjson_parse("1.5", 3, &number, &error), 0);
    check(number != NULL && number->valuedouble > 1.4);
    check_int(weir_cjson_text(number, &text, NULL), 0);
    check(strcmp(text, "1.5") == 0);
    cJSON_Delete(number);
    weir_json_text_free(text);
    return 0;
}

/* ---- names ---- */

static int names_are_found(void *unused)
{
    size_t len = 0;
    weir_response *response = weir__response_new(100);
    (void)unused;
    check(tolower('I') != 'i'); /* or nothing is tested here */
    check(weir__ascii_same("ID", "id", 3) && weir__ascii_same("[I]", "[i]", 3));
    check(!weir__ascii_same("[", "{", 1) && !weir__ascii_same("ID", "I", 2));
    check(weir__ascii_same("IDa", "idb", 2));
    check_int(weir_response_add_header(response, "X-REQUEST-ID", "req_1"), 0);
    const char *id = weir_response_request_id(response, &len);
    check(id != NULL && len == 5 && strncmp(id, "req_1", 5) == 0);
    check(weir__secret_name("SIGNATURE", 9));
    check_int(weir__wait_in_words_ms("TRY AGAIN IN 7 s", 16), 7000);
    weir_response_free(response);
    return 0;
}

static void no_locales_here(void **state)
{
    (void)state;
    print_message("skipped: localedef cannot make a locale (Debian's package locales)\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL_TEST(metrics_are_numbers),
        VIRTUAL_TEST(times_have_points),
        VIRTUAL_TEST(json_has_points),
        VIRTUAL_TEST(names_are_found),
    };
    const struct CMUnitTest none[] = {cmocka_unit_test(no_locales_here)};
    bool set = set_locale();
    int failed =
        set ? cmocka_run_group_tests(tests, NULL, NULL) : cmocka_run_group_tests(none, NULL, NULL);
    remove_folder();
    return failed;
}
