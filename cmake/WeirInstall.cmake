# Headers, libraries, the program (manual pages: WeirMan.cmake), the CMake package (components: cjson) and pkg-config files.
include(CMakePackageConfigHelpers)

set(weir_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/weir")

install(DIRECTORY include/weir TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE TYPE DOC)
install(FILES tools/weir-gdb.py DESTINATION "${CMAKE_INSTALL_DATADIR}/weir")
if(WEIR_PROGRAM)
    install(TARGETS weir)
endif()

install(TARGETS weir_shared weir_static EXPORT weirTargets)
install(EXPORT weirTargets NAMESPACE weir:: DESTINATION "${weir_cmake_dir}")
install(TARGETS weir_cjson_shared weir_cjson_static EXPORT weirCjsonTargets)
install(EXPORT weirCjsonTargets NAMESPACE weir:: DESTINATION "${weir_cmake_dir}")

configure_package_config_file(cmake/weirConfig.cmake.in "${PROJECT_BINARY_DIR}/cmake/weirConfig.cmake"
    INSTALL_DESTINATION "${weir_cmake_dir}"
    NO_SET_AND_CHECK_MACRO)
# Before 1.0 a new minor version may break callers, as the package's SameMinorVersion says.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/cmake/weirConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/cmake/weirConfig.cmake"
    "${PROJECT_BINARY_DIR}/cmake/weirConfigVersion.cmake"
    DESTINATION "${weir_cmake_dir}")
install(FILES
    vendor/HeaderLibrary.cmake vendor/FindLibev.cmake vendor/FindJansson.cmake
    vendor/FindCJSON.cmake
    DESTINATION "${weir_cmake_dir}/modules")

# The prefix is written when installing, so that `cmake --install BUILD --prefix DIR` is honoured.
set(weir_pc_prefix "@CMAKE_INSTALL_PREFIX@")
set(weir_pc_libdir "\${prefix}")
set(weir_pc_includedir "\${prefix}")
cmake_path(APPEND weir_pc_libdir "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND weir_pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
foreach(name weir weir-cjson)
    set(pc "${PROJECT_BINARY_DIR}/cmake/${name}.pc")
    configure_file(cmake/${name}.pc.in "${pc}.in" @ONLY)
    install(CODE "configure_file(\"${pc}.in\" \"${pc}\" @ONLY)")
    install(FILES "${pc}" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()
