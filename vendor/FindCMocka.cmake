# CMocka::cmocka. cmocka's headers do not state a version; its own CMake package does, but defines
# an imported target only from 1.1.6 on.
include(FindPackageHandleStandardArgs)
find_package(cmocka ${CMocka_FIND_VERSION} CONFIG QUIET)
set(CMocka_VERSION "${cmocka_VERSION}")
find_path(CMocka_INCLUDE_DIR cmocka.h HINTS "${CMOCKA_INCLUDE_DIR}")
find_library(CMocka_LIBRARY cmocka)
mark_as_advanced(CMocka_INCLUDE_DIR CMocka_LIBRARY cmocka_DIR)

find_package_handle_standard_args(CMocka
    REQUIRED_VARS CMocka_LIBRARY CMocka_INCLUDE_DIR CMocka_VERSION
    VERSION_VAR CMocka_VERSION)

if(CMocka_FOUND AND NOT TARGET CMocka::cmocka)
    add_library(CMocka::cmocka UNKNOWN IMPORTED)
    set_target_properties(CMocka::cmocka PROPERTIES
        IMPORTED_LOCATION "${CMocka_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${CMocka_INCLUDE_DIR}")
endif()
