/* Points in time as servers write them. Pure functions, independent of the locale and the time
 * zone. */
#ifndef WEIR_POLICY_DATE_H
#define WEIR_POLICY_DATE_H

#include <stddef.h>
#include <stdint.h>

#define WEIR__LAST_TIME_S INT64_C(253402300799) /* the year 9999's last second */

/* An HTTP date (RFC 9110, section 5.6.7, in any of its three forms) as seconds since 1970; -1:
 * malformed, or before 1970. Years of two digits are those from 1970 to 2069. The day of the week
 * must be one, but not the right one. */
int64_t weir__http_date_s(const char *text, size_t len);

/* An RFC 3339 timestamp ("2026-05-18T11:42:16.5+02:00") as ms since 1970, rounded up; -1:
 * malformed, before 1970 or after 9999. */
int64_t weir__timestamp_ms(const char *text, size_t len);

#endif
