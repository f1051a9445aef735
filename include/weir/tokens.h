/* How many tokens a request may cost. */
#ifndef WEIR_TOKENS_H
#define WEIR_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include <weir/err.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An ESTIMATE of the tokens that a request to a language model counts for, from its JSON body (len
 * bytes): the prompt, and the longest answer that it asks for (max_tokens and its like, times n).
 * For a weir_request's amount where a limit is on tokens. No tokenizer is asked: four characters of
 * prose are one token, a Chinese, Japanese or Korean one is 1.5; a message costs 4 more, a
 * conversation 2; of embeddings all inputs count; pictures and sounds count for nothing. English is
 * usually within a fifth, code may cost half as much again; the server's own count, the usage in
 * its answer, is the truth. 0 for NULL or what is no JSON object; at most 1e15. Allocates nothing.
 * Does not suspend. */
WEIR_API uint64_t weir_estimate_tokens(const char *json_body, size_t len);

#ifdef __cplusplus
}
#endif

#endif
