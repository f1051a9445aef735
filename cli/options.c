#include "options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
    OPT_IDEMPOTENCY_KEY,
    OPT_IDLE_TIMEOUT,
    OPT_MAX_OUTAGE,
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
    {"idempotency-key", no_argument, NULL, OPT_IDEMPOTENCY_KEY},
    {"idle-timeout", required_argument, NULL, OPT_IDLE_TIMEOUT},
    {"max-outage", required_argument, NULL, OPT_MAX_OUTAGE},
    CONNECTION_OPTIONS,
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
    options->rate_text = text;
    if (read_rate(text, &options->rate, &options->period_ms))
        return true;
    if (strcspn(text, ".") < strcspn(text, "/"))
        return wrong("rate", text,
                     "a whole number; write a fraction per min or h, such as 30/min for 0.5/s");
    return wrong("rate", text,
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

static bool take_time(const char *option, const char *text, int64_t *ms)
{
    return read_seconds_ms(text, TIMEOUT_MAX_MS, ms) ||
           wrong(option, text,
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

static bool is_variable_name(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    while (isalnum((unsigned char)*name) || *name == '_')
        name++;
    return *name == '\0';
}

/* The key itself, given by mistake, is not to be shown: not every name is repeated. */
static bool take_api_key(struct options *options, const char *name)
{
    if (!is_variable_name(name)) {
        usage_error("--api-key-env wants the NAME of an environment variable, not the key itself");
        return false;
    }
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
            options->progress_ms = 0;
            return true;
        }
    }
    options->progress = PROGRESS_PLAIN;
    return read_seconds_ms(text, TIMEOUT_MAX_MS, &options->progress_ms) ||
           wrong("progress", text, "auto, plain, none, or seconds from line to line, such as 60");
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
        return take_time("timeout", text, &options->timeout_ms);
    case OPT_IDLE_TIMEOUT:
        return take_time("idle-timeout", text, &options->idle_ms);
    case OPT_MAX_OUTAGE:
        return take_time("max-outage", text, &options->outage_ms);
    default:
        return take_max_line(options, text);
    }
}

static bool take_option(struct options *options, int id, const char *text)
{
    if (id >= OPT_PROXY)
        return connection_take(&options->connection, id, text);
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
    case OPT_IDEMPOTENCY_KEY:
        options->idempotency_key = true;
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

/* Rows with whole URLs may still be for https. */
static void say_what_is_in_vain(const struct options *options)
{
    if (options->connection.net.http2 != WEIR_HTTP2_OFF && options->base_url != NULL &&
        strncasecmp(options->base_url, "http://", 7) == 0 && options->progress != PROGRESS_NONE)
        complain("weir run: --http2 has no effect with http://, so not at the --base-url: it is "
                 "spoken with https:// alone");
}

/* What cannot be seen in one option alone. */
static bool is_consistent(struct options *options)
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
    else if (options->idempotency_key && !options->replay)
        usage_error("--idempotency-key lets rows be sent again, which --no-replay forbids; leave "
                    "one out");
    else if (connection_is_consistent(&options->connection)) {
        say_what_is_in_vain(options);
        return true;
    }
    return false;
}

/* --- options as they are written ---------------------------------------------------------- */

/* What getopt_long has just taken, without its value if that is an argument of its own. */
static const char *last_written(char **argv)
{
    bool value_apart = optarg != NULL && optarg == argv[optind - 1];
    return argv[optind - (value_apart ? 2 : 1)];
}

static bool is_long(const char *written)
{
    return strncmp(written, "--", 2) == 0;
}

/* getopt_long takes the beginning of a name for the name: then --api-key KEY would be taken for
 * --api-key-env, and an option of a later version would change what a script means. */
static bool is_whole_name(const char *written)
{
    size_t len = strcspn(written + 2, "=");
    for (const struct option *known = long_options; known->name != NULL; known++) {
        if (strlen(known->name) == len && strncmp(known->name, written + 2, len) == 0)
            return true;
    }
    return false;
}

/* The options whose names begin so, "--a or --b"; "" when there are none. */
static void find_meant(char *dst, size_t room, const char *name, size_t len)
{
    size_t used = 0;
    *dst = '\0';
    for (const struct option *known = long_options; known->name != NULL && len > 0; known++) {
        if (strncmp(known->name, name, len) != 0)
            continue;
        int put = snprintf(dst + used, room - used, "%s--%s", used > 0 ? " or " : "", known->name);
        if (put < 0 || (size_t)put >= room - used)
            return;
        used += (size_t)put;
    }
}

/* What stands behind the name may be a secret. */
static void complain_of_name(const char *written)
{
    char meant[COMPLAINT_MAX / 2];
    size_t len = strcspn(written, "=");
    int shown = (int)(len < COMPLAINT_MAX / 4 ? len : COMPLAINT_MAX / 4);
    find_meant(meant, sizeof meant, written + 2, len - 2);
    if (*meant != '\0')
        usage_error("unknown option %.*s; did you mean %s?", shown, written, meant);
    else
        usage_error("unknown option '%.*s'", shown, written);
}

/* For a letter that is no option optind may not have moved yet; -h fails as --help=X alone. */
static void complain_of_option(int id, const char *written)
{
    if (id == '?' && optopt > 0 && optopt < OPT_BASE_URL && optopt != 'h')
        usage_error("unknown option '-%c'", optopt);
    else if (is_long(written) && !is_whole_name(written))
        complain_of_name(written);
    else if (id == ':')
        usage_error("option '%s' needs a value", written);
    else
        usage_error("wrong use of option '%s'", written);
}

/* The next option, as getopt_long has it; '?' when it is none, which has then been said. */
static int next_option(int argc, char **argv)
{
    int index = -1;
    int id = getopt_long(argc, argv, ":o:h", long_options, &index);
    if (id == -1)
        return id;
    const char *written = last_written(argv);
    bool cut_short = index >= 0 && is_long(written) && !is_whole_name(written);
    if (id != ':' && id != '?' && !cut_short)
        return id;
    complain_of_option(id, written);
    return '?';
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
    int id;
    *options = (struct options){.concurrency = CONCURRENCY_DEFAULT,
                                .max_attempts = ATTEMPTS_DEFAULT,
                                .max_line = LINE_BYTES_DEFAULT,
                                .outage_ms = OUTAGE_DEFAULT_MS,
                                .progress = PROGRESS_AUTO,
                                .replay = true};
    optind = 0; /* both glibc and musl: begin afresh, and permute */
    while ((id = next_option(argc, argv)) != -1) {
        if (id == 'h') {
            print_run_help();
            return OPTIONS_HELP;
        }
        if (id == '?' || !take_option(options, id, optarg))
            return OPTIONS_WRONG;
    }
    return take_input(options, argc, argv) && is_consistent(options) ? OPTIONS_RUN : OPTIONS_WRONG;
}
