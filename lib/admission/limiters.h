/* The inside of a set of limiters, as far as the client needs it. */
#ifndef WEIR_ADMISSION_LIMITERS_H
#define WEIR_ADMISSION_LIMITERS_H

#include <weir/limiters.h>

#include "admission/admission.h"

/* As weir_limiters_get, but *out is in use until weir__admission_let_go. */
int weir__limiters_use(weir_limiters *set, const char *key, size_t len, weir_limiter **out);

/* A client's use of the set, and its end. */
weir_limiters *weir__limiters_ref(weir_limiters *set);
void weir__limiters_let_go(weir_limiters *set); /* NULL: nothing */

bool weir__limiters_are_here(const weir_limiters *set); /* as weir__home_is_here */

/* The bound over all keys; 0: none. */
uint64_t weir__limiters_concurrency(const weir_limiters *set);

#endif
