# The one home of the minimum versions. Read by the build, and written into the installed package
# (weirConfig.cmake, weir.pc, weir-cjson.pc). README.md beside this file gives the reasons.
set(WEIR_CURL_MIN 7.88)
set(WEIR_LIBEV_MIN 4.33)
set(WEIR_JANSSON_MIN 2.14)
set(WEIR_CJSON_MIN 1.7)
set(WEIR_HTTP_PARSER_MIN 2.9)
set(WEIR_CMOCKA_MIN 1.1)
