/* Version of the library, and the macros every other public header needs.
 *
 * The three numbers below are the one home of the version: the build reads them from here. */
#ifndef WEIR_VERSION_H
#define WEIR_VERSION_H

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0

#if defined(__GNUC__)
#define WEIR_API __attribute__((visibility("default")))
#else
#define WEIR_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library in use at run time, as "major.minor.patch". Static storage. */
WEIR_API const char *weir_version(void);

#ifdef __cplusplus
}
#endif

#endif
