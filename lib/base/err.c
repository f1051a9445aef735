#include <weir/err.h>

#define WEIR_STR_(x) #x
#define WEIR_STR(x)  WEIR_STR_(x)

const char *weir_version(void)
{
    return WEIR_STR(WEIR_VERSION_MAJOR) "." WEIR_STR(WEIR_VERSION_MINOR) "." WEIR_STR(
        WEIR_VERSION_PATCH);
}

const char *weir_strerror(int code)
{
    switch (code) {
#define WEIR_ERR_CASE(number, name, message)                                                       \
    case -(number):                                                                                \
        return message;
        WEIR_ERR_MAP(WEIR_ERR_CASE)
#undef WEIR_ERR_CASE
    default:
        return code >= 0 ? "success" : "unknown error";
    }
}

const char *weir_err_name(int code)
{
    switch (code) {
#define WEIR_ERR_CASE(number, name, message)                                                       \
    case -(number):                                                                                \
        return "WEIR_" #name;
        WEIR_ERR_MAP(WEIR_ERR_CASE)
#undef WEIR_ERR_CASE
    default:
        return code >= 0 ? "0" : "WEIR_?";
    }
}
