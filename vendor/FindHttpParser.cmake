# HttpParser::http_parser. http-parser ships neither a pkg-config file nor a CMake package.
include("${CMAKE_CURRENT_LIST_DIR}/HeaderLibrary.cmake")
weir_find_header_library(
    HEADER http_parser.h
    LIBRARY http_parser
    TARGET HttpParser::http_parser
    VERSION_MACROS HTTP_PARSER_VERSION_MAJOR HTTP_PARSER_VERSION_MINOR HTTP_PARSER_VERSION_PATCH)
