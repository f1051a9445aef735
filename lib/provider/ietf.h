/* The IETF's draft "RateLimit header fields for HTTP", versions 3 to 10. */
#ifndef WEIR_PROVIDER_IETF_H
#define WEIR_PROVIDER_IETF_H

#include <weir/http.h>

#include "policy/told.h"

/* A field that is longer, its lines joined, is not read. */
#define WEIR__IETF_FIELD_MAX ((size_t)4096)

/* Appends the limits that the fields of a response tell to told->quotas. A malformed field counts
 * as not sent. now_s: the server's clock. */
void weir__ietf_quotas(const weir_response *response, int64_t now_s, struct weir__told *told);

#endif
