#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weir/version.h>

#include "commands.h"
#include "exit_status.h"
#include "term.h"

static const char usage[] = "usage: weir COMMAND [ARGUMENT]...\n"
                            "\n"
                            "  run      send a file of API requests as fast as the limits allow\n"
                            "  mock     a server to rehearse against, on this machine\n"
                            "  help     this text; weir help COMMAND tells all about a command\n"
                            "  version  print the version\n";

/* `weir help run` is `weir run --help`. */
static int cmd_help(int argc, char **argv)
{
    char help[] = "--help";
    if (argc > 2) {
        complain("weir: help with one command at a time: what is '%s' for?", argv[2]);
        return EXIT_USAGE;
    }
    if (argc == 2 && strcmp(argv[1], "run") == 0)
        return cmd_run(2, (char *[]){argv[1], help, NULL});
    if (argc == 2 && strcmp(argv[1], "mock") == 0)
        return cmd_mock(2, (char *[]){argv[1], help, NULL});
    if (argc == 2 && strcmp(argv[1], "help") != 0 && strcmp(argv[1], "version") != 0) {
        complain("weir: unknown command '%s'; 'weir help' lists them", argv[1]);
        return EXIT_USAGE;
    }
    fputs(usage, stdout);
    return EXIT_DONE;
}

static int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("weir %s\n", weir_version());
    return EXIT_DONE;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", cmd_run}, {"mock", cmd_mock},       {"help", cmd_help},         {"--help", cmd_help},
    {"-h", cmd_help}, {"version", cmd_version}, {"--version", cmd_version},
};

/* A file that we open must not become stdout or stderr because whoever started us had closed that.
 * What stands in for it is opened the wrong way round, so that its use is an error. */
static void hold_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return;
    }
}

int main(int argc, char **argv)
{
    hold_standard_files();
    if (argc < 2) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    complain("weir: unknown command '%s'; 'weir help' lists them", argv[1]);
    return EXIT_USAGE;
}
