# Manual pages: share/man/man3 from the comments of the headers, man1 from the program's --help.
# Without Python, or where the program that was built cannot be run here, they are left out.
option(WEIR_MAN "Make manual pages, if Python is there" ${PROJECT_IS_TOP_LEVEL})
if(WEIR_MAN AND NOT WEIR_SANITIZE AND NOT Python3_Interpreter_FOUND)
    find_package(Python3 3.9 COMPONENTS Interpreter)
endif()
if(NOT WEIR_MAN OR WEIR_SANITIZE OR NOT Python3_Interpreter_FOUND)
    return()
endif()

set(weir_man_dir "${PROJECT_BINARY_DIR}/man")
set(weir_man_program "")
if(WEIR_PROGRAM AND NOT CMAKE_CROSSCOMPILING)
    set(weir_man_program $<TARGET_FILE:weir>)
endif()
file(GLOB weir_man_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/weir/*.h")

# What a header has lost must not stay: made anew from the start.
add_custom_command(
    OUTPUT "${weir_man_dir}/made"
    COMMAND ${CMAKE_COMMAND} -E rm -rf "${weir_man_dir}"
    COMMAND ${Python3_EXECUTABLE} -B "${PROJECT_SOURCE_DIR}/tools/man.py" "${weir_man_dir}"
        ${weir_man_program}
    COMMAND ${CMAKE_COMMAND} -E touch "${weir_man_dir}/made"
    DEPENDS tools/man.py ${weir_man_headers} $<$<BOOL:${weir_man_program}>:weir>
    COMMENT "Manual pages"
    VERBATIM)
add_custom_target(man ALL DEPENDS "${weir_man_dir}/made")
install(DIRECTORY "${weir_man_dir}/man3" TYPE MAN)
if(weir_man_program)
    install(DIRECTORY "${weir_man_dir}/man1" TYPE MAN)
endif()
