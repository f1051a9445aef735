/* Whether this machine lacks what a connection takes: libcurl reports that in the same words as a
 * server that is not there. */
#ifndef WEIR_CLI_SHORTAGE_H
#define WEIR_CLI_SHORTAGE_H

#include <stdbool.h>

/* No file can be opened, or no thread started (names are looked up by threads), right now. */
bool shortage_is_now(void);

#endif
