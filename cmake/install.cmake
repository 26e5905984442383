# SPDX-License-Identifier: MIT
# Headers, libraries, pkg-config files and the CMake package.

include(CMakePackageConfigHelpers)
get_property(libraries GLOBAL PROPERTY EDO_LIBRARIES)
if(NOT libraries)
    return()
endif()

install(TARGETS ${libraries} EXPORT edo-targets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/edo" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h")

# (gdb) source .../share/edo/gdb/edo-gdb.py
install(FILES "${PROJECT_SOURCE_DIR}/tools/gdb/edo-gdb.py"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/edo/gdb")

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/edo")
install(EXPORT edo-targets NAMESPACE edo:: DESTINATION "${package_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/edo-config.cmake.in"
    "${PROJECT_BINARY_DIR}/edo-config.cmake" INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/edo-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/edo-config.cmake"
    "${PROJECT_BINARY_DIR}/edo-config-version.cmake" DESTINATION "${package_dir}")

# The files find their prefix from where they lie, so an installed tree may be moved.
file(RELATIVE_PATH EDO_PC_TO_PREFIX
    "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
foreach(library ${libraries})
    configure_file("${PROJECT_SOURCE_DIR}/cmake/${library}.pc.in"
        "${PROJECT_BINARY_DIR}/${library}.pc" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/${library}.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()

# The reference, as HTML and man pages, where there is a Python to extract it.
find_program(EDO_PYTHON python3)
if(EDO_PYTHON)
    install(CODE "
        execute_process(COMMAND \"${EDO_PYTHON}\" \"${PROJECT_SOURCE_DIR}/tools/reference\"
            \"${PROJECT_BINARY_DIR}/reference\" COMMAND_ERROR_IS_FATAL ANY)")
    install(DIRECTORY "${PROJECT_BINARY_DIR}/reference/man/man3"
        DESTINATION "${CMAKE_INSTALL_MANDIR}")
    install(DIRECTORY "${PROJECT_BINARY_DIR}/reference/html" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
endif()
