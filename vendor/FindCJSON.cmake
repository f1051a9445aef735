# CJSON::cjson, for programs that write #include <cjson/cJSON.h>. cJSON's own CMake package defines
# its target only from some versions on, and under changing names.
include("${CMAKE_CURRENT_LIST_DIR}/HeaderLibrary.cmake")
weir_find_header_library(
    HEADER cjson/cJSON.h
    LIBRARY cjson
    TARGET CJSON::cjson
    VERSION_MACROS CJSON_VERSION_MAJOR CJSON_VERSION_MINOR CJSON_VERSION_PATCH)
