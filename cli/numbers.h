/* Numbers of the command line, read strictly: digits alone, and within bounds. */
#ifndef WEIR_CLI_NUMBERS_H
#define WEIR_CLI_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole number from lowest to highest. False, with *number as it was, for anything else. */
bool read_number(const char *text, uint64_t lowest, uint64_t highest, uint64_t *number);

/* Seconds with up to three decimals, more than 0 and at most highest_ms, in milliseconds. */
bool read_seconds_ms(const char *text, int64_t highest_ms, int64_t *ms);

/* "100/s", "6000/min", "20/h", "5/d": a whole number from 1 to a billion per second.
 * Units may be written out: sec, second, m, minute, hour, day. */
bool read_rate(const char *text, uint64_t *rate, int64_t *period_ms);

/* 1234567 as "1,234,567". buf has room for 28 bytes; returns it. */
char *format_count(char *buf, uint64_t number);

/* A time as "0.8 s", "42 s", "5 min 12 s", "3 h 20 min", "2 d 4 h". buf has room for 48 bytes. */
char *format_ms(char *buf, int64_t time_ms);

/* A rate as read_rate takes it, in the unit that loses least, rounded down: 9.93 as "595/min". buf
 * has room for 48 bytes; returns it. */
char *format_rate(char *buf, double per_s);

#endif
