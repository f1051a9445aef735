/* A program that found weir installed: header and library are of one version, a task runs on a
 * stack of its own (an hour of virtual time), and jansson can be used without asking for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/jansson.h>
#include <weir/weir.h>

static int rest(void *arg)
{
    (void)arg;
    return weir_sleep_ms(3600000);
}

static int is_header_version(const char *version)
{
    char expected[64];
    snprintf(expected, sizeof(expected), "%d.%d.%d", WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR,
             WEIR_VERSION_PATCH);
    return strcmp(version, expected) == 0;
}

int main(void)
{
    if (!is_header_version(weir_version())) {
        fprintf(stderr, "the library says it is %s, its header differs\n", weir_version());
        return EXIT_FAILURE;
    }
    int rc = weir_run(rest, NULL, WEIR_RUN_OPTS(.clock = WEIR_CLOCK_VIRTUAL));
    if (rc != 0) {
        fprintf(stderr, "weir_run returned %d\n", rc);
        return EXIT_FAILURE;
    }

    char *text = NULL;
    json_t *tree = json_integer(7);
    rc = weir_jansson_text(tree, &text, NULL);
    int same = rc == 0 && strcmp(text, "7") == 0;
    weir_json_text_free(text);
    json_decref(tree);
    return same ? EXIT_SUCCESS : EXIT_FAILURE;
}
