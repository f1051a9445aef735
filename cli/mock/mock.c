/*
 * `weir mock`: the command.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "exit_status.h"
#include "mock/options.h"
#include "mock/server.h"

/* Whoever started us waits for this line; without it nobody knows the port. */
static int announce(const struct mock_server *server)
{
    if (printf("listening on http://127.0.0.1:%u\n", server->port) < 0)
        return -1;
    return fflush(stdout);
}

static void summarise(const struct mock_stats *stats)
{
    unsigned long long faults = 0;

    for (int i = 0; i < MOCK_FAULT_KINDS; i++)
        faults += stats->faults[i];
    fprintf(stderr,
            "weir mock: %llu requests on %llu connections, at most %llu at a time; %llu over the "
            "rate, %llu faults\n",
            (unsigned long long)stats->requests, (unsigned long long)stats->accepted,
            (unsigned long long)stats->max_in_flight, (unsigned long long)stats->throttled, faults);
}

static int serve(struct mock_server *server)
{
    if (announce(server) != 0) {
        fputs("weir mock: cannot write the address to stdout\n", stderr);
        return EXIT_INTERNAL;
    }
    mock_server_run(server);
    summarise(&server->service.stats);
    return EXIT_DONE;
}

int cmd_mock(int argc, char **argv)
{
    struct mock_server server = {0};
    struct mock_opts opts;
    int rc;

    switch (mock_opts_parse(&opts, argc, argv)) {
    case MOCK_OPTS_HELP:
        return EXIT_DONE;
    case MOCK_OPTS_WRONG:
        return EXIT_USAGE;
    case MOCK_OPTS_RUN:
        break;
    }
    signal(SIGPIPE, SIG_IGN);
    rc = mock_server_open(&server, &opts);
    if (rc != 0) {
        fprintf(stderr,
                "weir mock: cannot listen on 127.0.0.1:%u: %s (--port 0 takes a free port)\n",
                opts.port, strerror(-rc));
        return EXIT_INTERNAL;
    }
    rc = serve(&server);
    mock_server_close(&server);
    return rc;
}
