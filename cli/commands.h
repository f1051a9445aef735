/* The commands of the program. Each gets its own part of the command line, argv[0] being its name,
 * and returns the exit status. */
#ifndef WEIR_CLI_COMMANDS_H
#define WEIR_CLI_COMMANDS_H

int cmd_run(int argc, char **argv);
int cmd_mock(int argc, char **argv);

#endif
