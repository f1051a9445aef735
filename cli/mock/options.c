#include "mock/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STR_(x) #x
#define STR(x)  STR_(x)

#define PORT_DEFAULT   0
#define SEED_DEFAULT   1
#define IDLE_DEFAULT_S 75
#define IDLE_MAX_S     86400
#define LATENCY_MAX_MS 3600000

enum option_id {
    OPT_PORT = 256,
    OPT_RATE,
    OPT_BURST,
    OPT_LATENCY,
    OPT_HEADERS,
    OPT_FAULT,
    OPT_SEED,
    OPT_IDLE,
};

static const struct option options[] = {
    {"port", required_argument, NULL, OPT_PORT},
    {"rate", required_argument, NULL, OPT_RATE},
    {"burst", required_argument, NULL, OPT_BURST},
    {"latency", required_argument, NULL, OPT_LATENCY},
    {"headers", required_argument, NULL, OPT_HEADERS},
    {"fault", required_argument, NULL, OPT_FAULT},
    {"seed", required_argument, NULL, OPT_SEED},
    {"idle-timeout", required_argument, NULL, OPT_IDLE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* indexed by enum mock_headers */
static const char *const header_styles[] = {"openai", "ietf", "none"};

static const char help_head[] =
    "Usage: weir mock [OPTION]...\n"
    "Serves an OpenAI-like API on 127.0.0.1 until it is interrupted: for rehearsing a job, and "
    "for\n"
    "tests. Prints `listening on http://127.0.0.1:PORT` when it is ready.\n"
    "\n"
    "  --port N            port to listen on; 0 takes a free one (default " STR(
        PORT_DEFAULT) ")\n"
                      "  --rate N/UNIT       requests per s, min, h or d that are let through "
                      "(default: no limit)\n"
                      "  --burst N           requests that may come at once (default: what the "
                      "rate gives in one\n"
                      "                      second, at least 1); needs --rate\n"
                      "  --latency MS|LO..HI every request that is let through is answered after "
                      "MS milliseconds,\n"
                      "                      or after a random time from LO to HI (default: at "
                      "once)\n"
                      "  --headers STYLE     how answers tell about the limit: openai "
                      "(x-ratelimit-*), ietf\n"
                      "                      (RateLimit, RateLimit-Policy) or none, which also "
                      "leaves Retry-After\n"
                      "                      and the numbers in the text out, as nginx does "
                      "(default openai)\n"
                      "  --fault KIND:P      a request that is let through meets this fault with "
                      "probability P,\n"
                      "                      0 to 1; one option per kind, and at most one fault "
                      "per request:\n";

static const char help_tail[] =
    "  --seed N            start of all random draws: faults, latencies, request ids "
    "(default " STR(
        SEED_DEFAULT) ")\n"
                      "  --idle-timeout S    close a connection that is silent for S seconds "
                      "(default " STR(
                          IDLE_DEFAULT_S) ")\n"
                                          "  --help              this text\n"
                                          "\n"
                                          "POST /v1/chat/completions  a short made-up text, always "
                                          "the same for the same request, or a stream;\n"
                                          "                           with a JSON schema as its "
                                          "response_format, JSON that fits\n"
                                          "POST /v1/messages          the same as Anthropic's API "
                                          "has it; JSON for the input of a tool\n"
                                          "POST /v1/embeddings        unit vectors of 8 numbers, "
                                          "or of `dimensions` (at most 3072)\n"
                                          "GET  /v1/models            and /v1/models/ID: the "
                                          "models; chat takes any model name\n"
                                          "any  /echo                 answers the body of the "
                                          "request as it came\n"
                                          "GET  /stats                what was served so far, as "
                                          "JSON; never limited, no faults\n"
                                          "\n"
                                          "Requests over the rate and to unknown paths are refused "
                                          "at once, without latency or faults,\n"
                                          "and do not count against the rate; bad requests to a "
                                          "known path do.\n";

__attribute__((format(printf, 1, 2))) static int wrong(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("weir mock: ", stderr);
    vfprintf(stderr, format, args);
    fputs(" (weir mock --help tells all)\n", stderr);
    va_end(args);
    return -1;
}

static void print_help(void)
{
    fputs(help_head, stdout);
    for (int i = 0; i < MOCK_FAULT_KINDS; i++)
        printf("                        %-9s %s\n", mock_fault_word((enum mock_fault)i),
               mock_fault_what((enum mock_fault)i));
    fputs(help_tail, stdout);
}

/* Reads decimal digits up to `end`, which must follow them. 0, or -1 for anything else. */
static int read_uint(const char *text, const char *end, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;

    if (text == end)
        return -1;
    for (; text < end; text++) {
        uint64_t digit = (uint64_t)(unsigned char)*text - '0';

        if (digit > 9 || sum > (max - digit) / 10)
            return -1;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return 0;
}

/* Reads digits with an optional fraction, to the end of the text. */
static int read_decimal(const char *text, double max, double *value)
{
    char *end;

    if (strspn(text, "0123456789.") != strlen(text) || strlen(text) > 20)
        return -1;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && *value <= max ? 0 : -1;
}

static int read_period(const char *unit, int64_t *period_s)
{
    static const struct {
        const char *unit;
        int64_t period_s;
    } periods[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", MOCK_LIMIT_PERIOD_MAX_S}};

    for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
        if (strcmp(unit, periods[i].unit) == 0) {
            *period_s = periods[i].period_s;
            return 0;
        }
    }
    return -1;
}

static int read_rate(struct mock_opts *opts, const char *text)
{
    const char *slash = strchr(text, '/');
    uint64_t count = 0;

    if (!slash || read_uint(text, slash, INT64_MAX, &count) != 0 || count == 0 ||
        read_period(slash + 1, &opts->rate.period_s) != 0)
        return wrong("--rate '%s': expected a whole number from 1 and a unit s, min, h or d, such "
                     "as 10/s or 6000/min",
                     text);
    if ((int64_t)count > MOCK_RATE_MAX_PER_S * opts->rate.period_s)
        return wrong("--rate '%s': more than " STR(MOCK_RATE_MAX_PER_S) "/s; leave --rate out for "
                                                                        "no limit",
                     text);
    opts->rate.count = (int64_t)count;
    opts->limited = true;
    return 0;
}

static int read_burst(struct mock_opts *opts, const char *text)
{
    uint64_t burst;

    if (read_uint(text, text + strlen(text), MOCK_BURST_MAX, &burst) != 0 || burst == 0)
        return wrong("--burst '%s': expected a whole number from 1 to " STR(MOCK_BURST_MAX), text);
    opts->rate.burst = (int64_t)burst;
    return 0;
}

static int read_latency(struct mock_opts *opts, const char *text)
{
    const char *end = text + strlen(text);
    const char *dots = strstr(text, "..");
    uint64_t lo_ms;
    uint64_t hi_ms;

    if (read_uint(text, dots ? dots : end, LATENCY_MAX_MS, &lo_ms) != 0 ||
        read_uint(dots ? dots + 2 : text, end, LATENCY_MAX_MS, &hi_ms) != 0 || hi_ms < lo_ms)
        return wrong("--latency '%s': expected milliseconds such as 40, or 20..80 with the smaller "
                     "first, at most " STR(LATENCY_MAX_MS),
                     text);
    opts->latency_lo_ms = (uint32_t)lo_ms;
    opts->latency_hi_ms = (uint32_t)hi_ms;
    return 0;
}

static int read_headers(struct mock_opts *opts, const char *text)
{
    for (size_t i = 0; i < sizeof(header_styles) / sizeof(header_styles[0]); i++) {
        if (strcmp(text, header_styles[i]) == 0) {
            opts->headers = (enum mock_headers)i;
            return 0;
        }
    }
    return wrong("--headers '%s': expected openai, ietf or none", text);
}

static int read_fault(struct mock_opts *opts, const char *text)
{
    const char *colon = strchr(text, ':');
    enum mock_fault kind = colon ? mock_fault_find(text, (size_t)(colon - text)) : MOCK_FAULT_NONE;
    double sum = 0;

    if (kind == MOCK_FAULT_NONE || read_decimal(colon + 1, 1, &opts->faults.share[kind]) != 0)
        return wrong("--fault '%s': expected KIND:P with P from 0 to 1, such as reset:0.05; kinds "
                     "are reset, truncate, stall, garbage, 500, 503, slow and misfit",
                     text);
    for (int i = 0; i < MOCK_FAULT_KINDS; i++)
        sum += opts->faults.share[i];
    if (sum > 1 + 1e-9)
        return wrong("--fault '%s': the probabilities add up to more than 1", text);
    return 0;
}

static int read_number(struct mock_opts *opts, int id, const char *text)
{
    uint64_t port;

    switch (id) {
    case OPT_PORT:
        if (read_uint(text, text + strlen(text), UINT16_MAX, &port) != 0)
            return wrong("--port '%s': expected a number from 0 (a free port) to 65535", text);
        opts->port = (uint16_t)port;
        return 0;
    case OPT_SEED:
        if (read_uint(text, text + strlen(text), UINT64_MAX, &opts->seed) != 0)
            return wrong("--seed '%s': expected a whole number from 0 to 2^64 - 1", text);
        return 0;
    default:
        if (read_decimal(text, IDLE_MAX_S, &opts->idle_s) != 0 || opts->idle_s <= 0)
            return wrong("--idle-timeout '%s': expected seconds, more than 0 and at most " STR(
                             IDLE_MAX_S),
                         text);
        return 0;
    }
}

static int read_option(struct mock_opts *opts, int id, const char *text)
{
    switch (id) {
    case OPT_RATE:
        return read_rate(opts, text);
    case OPT_BURST:
        return read_burst(opts, text);
    case OPT_LATENCY:
        return read_latency(opts, text);
    case OPT_HEADERS:
        return read_headers(opts, text);
    case OPT_FAULT:
        return read_fault(opts, text);
    default:
        return read_number(opts, id, text);
    }
}

static int finish(struct mock_opts *opts, int argc, char **argv)
{
    if (optind < argc)
        return wrong("unexpected argument '%s'; every setting is an option", argv[optind]);
    if (opts->rate.burst && !opts->limited)
        return wrong("--burst says nothing without --rate; add one such as --rate 100/s");
    if (opts->limited && !opts->rate.burst)
        opts->rate.burst = opts->rate.count / opts->rate.period_s;
    if (opts->rate.burst == 0)
        opts->rate.burst = 1;
    return 0;
}

/* What getopt_long does not take. For a letter that is no option `optind` may not have moved yet.
 */
static void wrong_option(int id, char **argv)
{
    bool letter = optopt > 0 && optopt < OPT_PORT;

    if (id == ':')
        wrong("option '%s' needs a value", argv[optind - 1]);
    else if (letter && optopt != 'h')
        wrong("unknown option '-%c'", optopt);
    else if (optopt == 0)
        wrong("unknown option '%s'", argv[optind - 1]);
    else
        wrong("option '%s' takes no value", argv[optind - 1]);
}

enum mock_opts_result mock_opts_parse(struct mock_opts *opts, int argc, char **argv)
{
    int id;

    *opts =
        (struct mock_opts){.port = PORT_DEFAULT, .seed = SEED_DEFAULT, .idle_s = IDLE_DEFAULT_S};
    optind = 0; /* glibc: start afresh, whatever the program has parsed before */
    while ((id = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (id == 'h') {
            print_help();
            return MOCK_OPTS_HELP;
        }

        if (id == ':' || id == '?')
            wrong_option(id, argv);
        if (id == ':' || id == '?' || read_option(opts, id, optarg) != 0)
            return MOCK_OPTS_WRONG;
    }
    return finish(opts, argc, argv) == 0 ? MOCK_OPTS_RUN : MOCK_OPTS_WRONG;
}
