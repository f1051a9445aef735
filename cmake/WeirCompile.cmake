# Language, warnings, hardening and sanitizers of everything below the top folder.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)
include(CheckPIESupported)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
check_pie_supported(LANGUAGES C)

# weir_add_compile_flags(FLAG...): each flag that the compiler knows, for C and assembly.
function(weir_add_compile_flags)
    foreach(flag IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "weir_has${flag}" known)
        check_c_compiler_flag(${flag} ${known})
        if(${known})
            add_compile_options(${flag})
        endif()
    endforeach()
endfunction()

# weir_add_link_flags(FLAG...): each flag that the linker knows.
function(weir_add_link_flags)
    foreach(flag IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "weir_has${flag}" known)
        check_linker_flag(C ${flag} ${known})
        if(${known})
            add_link_options(${flag})
        endif()
    endforeach()
endfunction()

add_compile_options(
    "$<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wpedantic;-Wconversion;-Wshadow;-Wvla>")
if(WEIR_WERROR)
    add_compile_options(-Werror)
endif()

# Not optional, in no kind of build: a frame larger than the guard below a task's stack would jump
# the guard and write into the neighbour's stack without a trace.
weir_add_compile_flags(-fstack-clash-protection)
if(NOT weir_has_fstack_clash_protection)
    message(WARNING "this compiler lacks -fstack-clash-protection: a task that overflows its "
                    "stack may damage another task instead of dying")
endif()

weir_add_compile_flags(-fstack-protector-strong -fcf-protection)
weir_add_link_flags(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)

if(WEIR_FUZZ) # what libFuzzer learns from; its main is linked to the programs of tests/fuzz alone
    if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "WEIR_FUZZ needs clang")
    endif()
    add_compile_options($<$<COMPILE_LANGUAGE:C>:-fsanitize=fuzzer-no-link>)
    add_link_options(-fsanitize=fuzzer-no-link)
endif()

if(WEIR_SANITIZE)
    # A finding ends the program: a test that only prints one would pass.
    add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${WEIR_SANITIZE})
else()
    # With sanitizers neither: fortified calls bypass their interceptors, and clang leaves their
    # run-time library undefined in shared libraries.
    add_compile_options(
        "$<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>")
    check_linker_flag(C -Wl,-z,defs weir_has_z_defs)
    if(weir_has_z_defs)
        add_link_options("$<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY>:-Wl,-z,defs>")
    endif()
endif()
add_compile_options("$<$<CONFIG:Debug>:-fno-omit-frame-pointer>")
