/* What APIs' headers mean, as tables of data: the only place that knows one API from another. */
#ifndef WEIR_PROVIDER_PROVIDER_H
#define WEIR_PROVIDER_PROVIDER_H

#include <stdint.h>

#include <weir/http.h>

/* The wait that the answer asks for, in ms; -1: none that can be used. wall_s: the local clock,
 * which counts only where the answer bears no Date of its own. */
int64_t weir__provider_wait_ms(const weir_response *response, int64_t wall_s);

#endif
