# Jansson::jansson. Distributions that build jansson by autotools install no CMake package.
include("${CMAKE_CURRENT_LIST_DIR}/HeaderLibrary.cmake")
weir_find_header_library(
    HEADER jansson.h
    LIBRARY jansson
    TARGET Jansson::jansson
    VERSION_MACROS JANSSON_MAJOR_VERSION JANSSON_MINOR_VERSION JANSSON_MICRO_VERSION)
