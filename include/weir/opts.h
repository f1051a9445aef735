/* How options are written in place: WEIR_CLIENT_OPTS(.rate = 5) and its like are a pointer to a
 * struct that has its size set, the members that are named, and zero for all others.
 *
 * In C it lives as long as the block it stands in. In C++ it lives until the end of the whole
 * expression, which is enough for an argument of a call, options within options included; to keep
 * one, write a struct of your own. C++20 has the designated initialisers that these macros need,
 * and wants the members in the order of their declaration. Before C++20, or in any language that
 * can call C, fill a struct and set its size:
 *
 *     struct weir_client_opts opts = {};
 *     opts.size = sizeof opts;
 *     opts.base_url = "https://api.example.com"; */
#ifndef WEIR_OPTS_H
#define WEIR_OPTS_H

#include <stddef.h>

#ifdef __cplusplus

/* Members that are not named are zero, and no mistake to warn of (-Wmissing-field-initializers). */
#pragma GCC system_header

/* A type named as in C: weir_request, for one, is also a function. */
template <class T> using weir__type = T;

/* The address of a value that lives until the end of the whole expression. */
template <class T> constexpr const T *weir__at(const T &&value) noexcept
{
    return &value;
}

template <class T, size_t n> constexpr const T *weir__list(const T (&&list)[n]) noexcept
{
    return list;
}

/* For sizeof alone. */
template <class T, size_t n> const T (&weir__array(const T (&&list)[n]))[n];

#define WEIR__VALUE(type, ...) (weir__type<struct type>{.size = sizeof(struct type), __VA_ARGS__})
#define WEIR__OPTS(type, ...)  weir__at(WEIR__VALUE(type, __VA_ARGS__))
#define WEIR__LIST(type, ...)  weir__list<type>({__VA_ARGS__})
#define WEIR__COUNT(type, ...) (sizeof(weir__array<type>({__VA_ARGS__})) / sizeof(type))

#else

#define WEIR__VALUE(type, ...) ((struct type){.size = sizeof(struct type), __VA_ARGS__})
#define WEIR__OPTS(type, ...)  (&WEIR__VALUE(type, __VA_ARGS__))
#define WEIR__LIST(type, ...)  ((type[]){__VA_ARGS__})
#define WEIR__COUNT(type, ...) (sizeof((type[]){__VA_ARGS__}) / sizeof(type))

#endif

#endif
