# SPDX-License-Identifier: MIT
# libedo and the libraries above it.

# Collects the sources of some folders of src/ into `out`.
function(edo_sources out)
    set(found "")
    foreach(folder ${ARGN})
        file(GLOB files CONFIGURE_DEPENDS
            "${PROJECT_SOURCE_DIR}/src/${folder}/*.c" "${PROJECT_SOURCE_DIR}/src/${folder}/*.S")
        list(APPEND found ${files})
    endforeach()
    set(${out} ${found} PARENT_SCOPE)
endfunction()

function(edo_library name)
    add_library(${name} ${ARGN})
    string(REGEX REPLACE "^edo-" "" short ${name})
    add_library(edo::${short} ALIAS ${name})
    set_target_properties(${name} PROPERTIES
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
        EXPORT_NAME ${short})
    target_include_directories(${name}
        PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
               "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
        PRIVATE "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:edo_flags>
        $<BUILD_INTERFACE:edo_frame_limit>)
    set_property(GLOBAL APPEND PROPERTY EDO_LIBRARIES ${name})
endfunction()

set(uring_folder "")
if(EDO_HAVE_uring)
    set(uring_folder io/uring)
else()
    edo_leave_out("the io_uring backend" "no liburing")
endif()
edo_sources(core_sources
    base arch core sync io io/epoll ${uring_folder} io/sim net fs process signal inspect)
if(core_sources)
    edo_library(edo ${core_sources})
    target_link_libraries(edo PUBLIC Threads::Threads)
    if(EDO_HAVE_uring)
        target_compile_definitions(edo PRIVATE EDO_HAVE_URING=1)
        # By name: who links an installed static libedo needs it as well, wherever it is there.
        target_include_directories(edo SYSTEM PRIVATE "${EDO_uring_INCLUDE}")
        target_link_libraries(edo PRIVATE uring)
        if(NOT BUILD_SHARED_LIBS)
            set(EDO_PC_URING "-luring ")
        endif()
    endif()
endif()

# Upper libraries: folder, and the imported target each stands on.
function(edo_upper_library folder needs target)
    edo_sources(sources ${folder})
    if(NOT sources)
        return()
    endif()
    if(NOT EDO_HAVE_${needs})
        edo_leave_out("libedo-${folder}" "no ${needs}")
        return()
    endif()
    edo_library(edo-${folder} ${sources})
    target_link_libraries(edo-${folder} PUBLIC edo PRIVATE ${target})
    set(EDO_HAVE_${folder} TRUE PARENT_SCOPE)
endfunction()
edo_upper_library(http curl CURL::libcurl)
edo_upper_library(tls openssl OpenSSL::SSL)
