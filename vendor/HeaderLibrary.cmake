# What our find modules share: a library that is one header and one library file, and that states
# its version in macros of that header. Use, inside FindNAME.cmake:
#
#   weir_find_header_library(HEADER file.h LIBRARY name TARGET NS::name VERSION_MACROS A_MAJOR ...)
#
# sets NAME_FOUND and NAME_VERSION and defines the imported target NS::name.
include(FindPackageHandleStandardArgs)

function(weir_header_version out header)
    set(version "")
    foreach(macro IN LISTS ARGN)
        file(STRINGS "${header}" line REGEX "^#[ \t]*define[ \t]+${macro}[ \t]+[0-9]+" LIMIT_COUNT 1)
        string(REGEX MATCH "[0-9]+[ \t]*$" number "${line}")
        string(STRIP "${number}" number)
        list(APPEND version "${number}")
    endforeach()
    list(JOIN version "." version)
    set(${out} "${version}" PARENT_SCOPE)
endfunction()

# A macro, because find_package_handle_standard_args speaks to the scope of find_package().
macro(weir_find_header_library)
    cmake_parse_arguments(_whl "" "HEADER;LIBRARY;TARGET" "VERSION_MACROS" ${ARGN})
    set(_whl_name ${CMAKE_FIND_PACKAGE_NAME})

    find_path(${_whl_name}_INCLUDE_DIR ${_whl_HEADER})
    find_library(${_whl_name}_LIBRARY ${_whl_LIBRARY})
    mark_as_advanced(${_whl_name}_INCLUDE_DIR ${_whl_name}_LIBRARY)
    if(${_whl_name}_INCLUDE_DIR)
        weir_header_version(${_whl_name}_VERSION "${${_whl_name}_INCLUDE_DIR}/${_whl_HEADER}"
                            ${_whl_VERSION_MACROS})
    endif()

    find_package_handle_standard_args(${_whl_name}
        REQUIRED_VARS ${_whl_name}_LIBRARY ${_whl_name}_INCLUDE_DIR
        VERSION_VAR ${_whl_name}_VERSION)

    if(${_whl_name}_FOUND AND NOT TARGET ${_whl_TARGET})
        add_library(${_whl_TARGET} UNKNOWN IMPORTED)
        set_target_properties(${_whl_TARGET} PROPERTIES
            IMPORTED_LOCATION "${${_whl_name}_LIBRARY}"
            INTERFACE_INCLUDE_DIRECTORIES "${${_whl_name}_INCLUDE_DIR}")
    endif()
endmacro()
