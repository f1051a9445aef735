/* Names ending in ".test", which are looked up as slowly as a test wishes, and counted. The program
 * that links fault_resolver.c has a getaddrinfo of its own, so libcurl calls this one. */
#ifndef WEIR_TESTS_FAULT_RESOLVER_H
#define WEIR_TESTS_FAULT_RESOLVER_H

/* From now on each look-up takes so long. */
void fault_resolver_set_ms(int ms);

int fault_resolver_calls(void);
int fault_resolver_running(void);
int fault_resolver_peak(void); /* of those that ran at the same time */

#endif
