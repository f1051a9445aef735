/* What is wrong with connection options, in words. */
#ifndef WEIR_HTTP_NET_CHECK_H
#define WEIR_HTTP_NET_CHECK_H

#include <stddef.h>

#include <weir/net.h>

/* Where the texts of the options stand. */
struct weir__net_text {
    size_t at; /* offset of the const char * */
    const char *name;
    enum { WEIR__NET_TEXT, WEIR__NET_MAY_BE_EMPTY, WEIR__NET_READABLE } kind;
};
enum { WEIR__NET_TEXTS = 9 };
extern const struct weir__net_text weir__net_texts[WEIR__NET_TEXTS];

const char **weir__net_text(struct weir_net_opts *opts, const struct weir__net_text *text);

/* As weir_net_check; opts are copied (opts.h) and size is not 0. */
int weir__net_check(const struct weir_net_opts *opts, char *text, size_t size);

#endif
