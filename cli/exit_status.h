/* How `weir run` ends: a status per kind of cause, so that scripts can tell them apart. */
#ifndef WEIR_CLI_EXIT_STATUS_H
#define WEIR_CLI_EXIT_STATUS_H

enum exit_status {
    EXIT_DONE = 0,         /* every row succeeded */
    EXIT_INTERNAL = 1,     /* out of memory and the like */
    EXIT_USAGE = 2,        /* bad command line, input or output; nothing was sent */
    EXIT_ROWS_FAILED = 3,  /* finished, but some rows failed */
    EXIT_AUTH = 4,         /* the server refuses the key */
    EXIT_UNREACHABLE = 69, /* no connection to the server (EX_UNAVAILABLE) */
    EXIT_IO = 74,          /* reading the input or writing the output failed (EX_IOERR) */
    EXIT_SIGNAL = 128,     /* plus the signal's number */
};

#endif
