# SPDX-License-Identifier: MIT
# Libraries. libedo itself needs threads, and liburing for one of its I/O backends. A missing one is no
# error: what needs it is left out, and the summary says so.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

function(edo_leave_out what why)
    message(STATUS "left out: ${what}: ${why}")
endfunction()

# A header of macros: nothing is linked, and nothing of it is needed at run time.
if(EDO_PROBES)
    include(CheckIncludeFile)
    check_include_file(sys/sdt.h EDO_HAVE_sdt)
    if(NOT EDO_HAVE_sdt)
        edo_leave_out("USDT probes" "no sys/sdt.h (systemtap-sdt-dev)")
    endif()
endif()

if(NOT CMAKE_CROSSCOMPILING)
    find_package(CURL 7.88)
    if(CURL_FOUND)
        set(EDO_HAVE_curl TRUE)
    endif()
    find_package(OpenSSL 3.0)
    if(OPENSSL_FOUND)
        set(EDO_HAVE_openssl TRUE)
    endif()

    # Of the distribution: a name, its header, its library.
    function(edo_find_system name header library)
        find_path(EDO_${name}_INCLUDE ${header})
        find_library(EDO_${name}_LIBRARY ${library})
        if(EDO_${name}_INCLUDE AND EDO_${name}_LIBRARY)
            add_library(deps::${name} UNKNOWN IMPORTED GLOBAL)
            set_target_properties(deps::${name} PROPERTIES
                IMPORTED_LOCATION "${EDO_${name}_LIBRARY}"
                INTERFACE_INCLUDE_DIRECTORIES "${EDO_${name}_INCLUDE}")
            set(EDO_HAVE_${name} TRUE PARENT_SCOPE)
        endif()
    endfunction()
    edo_find_system(uring liburing.h uring)
    edo_find_system(yaml yaml.h yaml)
    edo_find_system(crypto openssl/evp.h crypto)

    # Static libraries that tools/setup built: a name, its header, its archive.
    function(edo_find_dep name header)
        find_path(EDO_${name}_INCLUDE ${header} PATHS "${EDO_DEPS}/include" NO_DEFAULT_PATH)
        find_library(EDO_${name}_LIBRARY NAMES lib${name}.a PATHS "${EDO_DEPS}/lib" NO_DEFAULT_PATH)
        if(EDO_${name}_INCLUDE AND EDO_${name}_LIBRARY)
            add_library(deps::${name} STATIC IMPORTED GLOBAL)
            set_target_properties(deps::${name} PROPERTIES
                IMPORTED_LOCATION "${EDO_${name}_LIBRARY}"
                INTERFACE_INCLUDE_DIRECTORIES "${EDO_${name}_INCLUDE}")
            set(EDO_HAVE_${name} TRUE PARENT_SCOPE)
        endif()
    endfunction()
    edo_find_dep(yyjson yyjson.h)
    edo_find_dep(llhttp llhttp.h)
    edo_find_dep(teptris teptris/teptris.h)
    if(TARGET deps::teptris)
        set_property(TARGET deps::teptris PROPERTY INTERFACE_LINK_LIBRARIES m)
    endif()
endif()
