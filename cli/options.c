#include "options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "defaults.h"
#include "exit_status.h"
#include "http_text.h"
#include "numbers.h"
#include "term.h"

#define COMPLAINT_MAX 512

enum option_id {
    OPT_BASE_URL = 256,
    OPT_CONCURRENCY,
    OPT_RATE,
    OPT_BURST,
    OPT_MAX_ATTEMPTS,
    OPT_TIMEOUT,
    OPT_HEADER,
    OPT_API_KEY_ENV,
    OPT_PROGRESS,
    OPT_MAX_LINE,
    OPT_FORCE,
    OPT_NO_REPLAY,
};

static const struct option long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"base-url", required_argument, NULL, OPT_BASE_URL},
    {"concurrency", required_argument, NULL, OPT_CONCURRENCY},
    {"rate", required_argument, NULL, OPT_RATE},
    {"burst", required_argument, NULL, OPT_BURST},
    {"max-attempts", required_argument, NULL, OPT_MAX_ATTEMPTS},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"header", required_argument, NULL, OPT_HEADER},
    {"api-key-env", required_argument, NULL, OPT_API_KEY_ENV},
    {"progress", required_argument, NULL, OPT_PROGRESS},
    {"max-line-bytes", required_argument, NULL, OPT_MAX_LINE},
    {"force", no_argument, NULL, OPT_FORCE},
    {"no-replay", no_argument, NULL, OPT_NO_REPLAY},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

int usage_error(const char *format, ...)
{
    char text[COMPLAINT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    complain("weir run: %s ('weir run --help' tells all)", text);
    return EXIT_USAGE;
}

static bool wrong(const char *option, const char *text, const char *expected)
{
    usage_error("--%s '%s': expected %s", option, text, expected);
    return false;
}

static bool take_concurrency(struct options *options, const char *text)
{
    return read_number(text, 1, CONCURRENCY_MAX, &options->concurrency) ||
           wrong("concurrency", text, "a whole number from 1 to " STR(CONCURRENCY_MAX));
}

static bool take_rate(struct options *options, const char *text)
{
    return read_rate(text, &options->rate, &options->period_ms) ||
           wrong("rate", text,
                 "a whole number and a unit, N/s, N/min, N/h or N/d, such as 6000/min");
}

static bool take_burst(struct options *options, const char *text)
{
    return read_number(text, 1, BURST_MAX, &options->burst) ||
           wrong("burst", text, "a whole number from 1 to " STR(BURST_MAX));
}

static bool take_max_attempts(struct options *options, const char *text)
{
    uint64_t number;
    if (!read_number(text, 1, ATTEMPTS_MAX, &number))
        return wrong("max-attempts", text, "a whole number from 1 to " STR(ATTEMPTS_MAX));
    options->max_attempts = (unsigned)number;
    return true;
}

static bool take_timeout(struct options *options, const char *text)
{
    return read_seconds_ms(text, TIMEOUT_MAX_MS, &options->timeout_ms) ||
           wrong("timeout", text,
                 "seconds, such as 30 or 2.5, more than 0 and at most a week (604800)");
}

static bool take_max_line(struct options *options, const char *text)
{
    uint64_t number;
    if (!read_number(text, 1, LINE_BYTES_MAX, &number))
        return wrong("max-line-bytes", text, "a whole number from 1 to " STR(LINE_BYTES_MAX));
    options->max_line = (size_t)number;
    return true;
}

/* The value may be a secret: complaints name the header and keep silent about the rest. */
static bool take_header(struct options *options, const char *line)
{
    const char *fault = header_fault(line, strlen(line));
    if (fault != NULL) {
        int name_len = strchr(line, ':') != NULL ? (int)strcspn(line, ":") : 0;
        usage_error("--header '%.*s...' %s; write --header 'Name: value'", name_len, line, fault);
        return false;
    }
    if (options->header_count == OPTIONS_HEADERS_MAX) {
        usage_error("more than " STR(OPTIONS_HEADERS_MAX) " --header options");
        return false;
    }
    options->headers[options->header_count++] = line;
    return true;
}

static bool take_api_key(struct options *options, const char *name)
{
    const char *key = getenv(name);
    if (key == NULL || *key == '\0') {
        usage_error("--api-key-env %s: that variable is %s; export it first", name,
                    key == NULL ? "not set" : "empty");
        return false;
    }
    for (const char *at = key; *at != '\0'; at++) {
        if ((unsigned char)*at <= 0x20 || *at == 0x7F) {
            usage_error("--api-key-env %s: its value holds a blank or a line end; export the key "
                        "alone",
                        name);
            return false;
        }
    }
    options->api_key = key;
    return true;
}

static bool take_progress(struct options *options, const char *text)
{
    static const char *const modes[] = {
        [PROGRESS_AUTO] = "auto", [PROGRESS_PLAIN] = "plain", [PROGRESS_NONE] = "none"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(text, modes[i]) == 0) {
            options->progress = (enum progress_mode)i;
            return true;
        }
    }
    return wrong("progress", text, "auto, plain or none");
}

static bool take_limit(struct options *options, int id, const char *text)
{
    switch (id) {
    case OPT_CONCURRENCY:
        return take_concurrency(options, text);
    case OPT_RATE:
        return take_rate(options, text);
    case OPT_BURST:
        return take_burst(options, text);
    case OPT_MAX_ATTEMPTS:
        return take_max_attempts(options, text);
    case OPT_TIMEOUT:
        return take_timeout(options, text);
    default:
        return take_max_line(options, text);
    }
}

static bool take_option(struct options *options, int id, const char *text)
{
    switch (id) {
    case 'o':
        options->output = text;
        return true;
    case OPT_BASE_URL:
        options->base_url = text;
        return true;
    case OPT_HEADER:
        return take_header(options, text);
    case OPT_API_KEY_ENV:
        return take_api_key(options, text);
    case OPT_PROGRESS:
        return take_progress(options, text);
    case OPT_FORCE:
        options->force = true;
        return true;
    case OPT_NO_REPLAY:
        options->replay = false;
        return true;
    default:
        return take_limit(options, id, text);
    }
}

static bool take_input(struct options *options, int argc, char **argv)
{
    if (optind == argc) {
        usage_error("no input; name a file of requests, or - for stdin");
        return false;
    }
    if (argc - optind > 1) {
        usage_error("one input at a time: what is '%s' for?", argv[optind + 1]);
        return false;
    }
    options->input = argv[optind];
    return true;
}

/* What cannot be seen in one option alone. */
static bool is_consistent(const struct options *options)
{
    if (options->output == NULL)
        usage_error("no output; add -o FILE, or -o - for stdout");
    else if (*options->output == '\0' || *options->input == '\0')
        usage_error("the name of the %s is empty", *options->input == '\0' ? "input" : "output");
    else if (options->burst > 0 && options->rate == 0)
        usage_error("--burst says nothing without --rate; add one such as --rate 6000/min");
    else if (options->api_key != NULL && options->base_url == NULL)
        usage_error("--api-key-env needs --base-url: the key goes to that server and no other");
    else if (options->base_url != NULL && !url_is_absolute(options->base_url))
        usage_error("--base-url must begin with http:// or https://");
    else
        return true;
    return false;
}

static void complain_of_option(int id, char **argv)
{
    const char *option = argv[optind - 1];
    if (id == ':')
        usage_error("option '%s' needs a value", option);
    else if (optopt > 0 && optopt < OPT_BASE_URL)
        usage_error("unknown option '-%c'", optopt);
    else
        usage_error("%s option '%s'", optopt == 0 ? "unknown" : "wrong use of", option);
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
    int id;
    *options = (struct options){.concurrency = CONCURRENCY_DEFAULT,
                                .max_attempts = ATTEMPTS_DEFAULT,
                                .max_line = LINE_BYTES_DEFAULT,
                                .progress = PROGRESS_AUTO,
                                .replay = true};
    optind = 0; /* both glibc and musl: begin afresh, and permute */
    while ((id = getopt_long(argc, argv, ":o:h", long_options, NULL)) != -1) {
        if (id == 'h') {
            print_run_help();
            return OPTIONS_HELP;
        }
        if (id == ':' || id == '?') {
            complain_of_option(id, argv);
            return OPTIONS_WRONG;
        }
        if (!take_option(options, id, optarg))
            return OPTIONS_WRONG;
    }
    return take_input(options, argc, argv) && is_consistent(options) ? OPTIONS_RUN : OPTIONS_WRONG;
}
