/* Everything but what needs a JSON library: include <weir/jansson.h> or <weir/cjson.h> for its
 * adapter (both bring <weir/json.h>, which is of use with them alone), and <weir/llm.h>, which
 * brings <weir/jansson.h>, for chats with language models. */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <weir/attempt.h>
#include <weir/body.h>
#include <weir/breaker.h>
#include <weir/client.h>
#include <weir/embed.h>
#include <weir/err.h>
#include <weir/hedge.h>
#include <weir/http.h>
#include <weir/io.h>
#include <weir/jsonl.h>
#include <weir/limiter.h>
#include <weir/limiters.h>
#include <weir/log.h>
#include <weir/map.h>
#include <weir/metrics.h>
#include <weir/net.h>
#include <weir/offload.h>
#include <weir/opts.h>
#include <weir/retry.h>
#include <weir/shared.h>
#include <weir/stream.h>
#include <weir/sync.h>
#include <weir/task.h>
#include <weir/tokens.h>
#include <weir/transport.h>
#include <weir/version.h>

#endif
