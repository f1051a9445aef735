# Libev::libev. libev ships neither a pkg-config file nor a CMake package.
include("${CMAKE_CURRENT_LIST_DIR}/HeaderLibrary.cmake")
weir_find_header_library(
    HEADER ev.h
    LIBRARY ev
    TARGET Libev::libev
    VERSION_MACROS EV_VERSION_MAJOR EV_VERSION_MINOR)
