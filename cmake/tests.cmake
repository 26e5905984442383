# SPDX-License-Identifier: MIT
# One program per file of tests/KIND and apps/NAME/tests, registered under the label KIND or NAME.
#
# A file may ask for something in its first comment lines:
#   ctest: serial           nothing else runs beside it
#   ctest: timeout=SECONDS  instead of 600 (a guard only: test.h has its own limit per TEST)
#   ctest: one backend      not again with EDO_BACKEND=uring, as uring/KIND/NAME under the label uring

add_library(edo_test_support STATIC "${PROJECT_SOURCE_DIR}/tests/support/test.c")
target_include_directories(edo_test_support PUBLIC "${PROJECT_SOURCE_DIR}/tests/support")
target_link_libraries(edo_test_support PRIVATE edo_flags PUBLIC Threads::Threads)
if(CMAKE_CROSSCOMPILING)
    target_compile_definitions(edo_test_support PUBLIC EDO_TEST_EMULATED=1)
endif()

set(EDO_TEST_ENV
    "BUILD_DIR=${PROJECT_BINARY_DIR}" "SOURCE_DIR=${PROJECT_SOURCE_DIR}"
    "ASAN_OPTIONS=abort_on_error=0:detect_leaks=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=${PROJECT_SOURCE_DIR}/cmake/tsan.supp")

function(edo_test_properties test label source)
    file(STRINGS "${source}" wishes LIMIT_COUNT 20 REGEX "ctest: ")
    set(timeout 600)
    if(wishes MATCHES "ctest: timeout=([0-9]+)")
        set(timeout ${CMAKE_MATCH_1})
    endif()
    if(EDO_SANITIZE OR CMAKE_CROSSCOMPILING)
        math(EXPR timeout "${timeout} * 3")
    endif()
    set_tests_properties(${test} PROPERTIES
        LABELS "${label}" TIMEOUT ${timeout} ENVIRONMENT "${EDO_TEST_ENV}" SKIP_RETURN_CODE 77)
    if(wishes MATCHES "ctest: serial")
        set_tests_properties(${test} PROPERTIES RUN_SERIAL ON)
    endif()
endfunction()

# Not part of `all`: who only wants to use Edo does not wait for its tests.
add_custom_target(tests)

# A test of the network once more, with rings that lack what Linux before 5.18 does not know.
function(edo_test_old_kernel name source)
    set(test uring/old/${name})
    add_test(NAME ${test} COMMAND test-net-${name})
    edo_test_properties(${test} uring "${source}")
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT
        "EDO_BACKEND=uring" "EDO_TEST_NEEDS=uring"
        "EDO_URING_LACKS=coop_taskrun,submit_all,ring_fd,accept_poll")
endfunction()

# edo_test(label source [library...])
function(edo_test label source)
    get_filename_component(name "${source}" NAME_WE)
    edo_missing_for(missing "${source}")
    if(missing)
        edo_leave_out("tests ${label}/${name}" "no ${missing}")
        return()
    endif()
    set(target test-${label}-${name})
    add_executable(${target} EXCLUDE_FROM_ALL "${source}")
    add_dependencies(tests ${target})
    set_target_properties(${target} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/${label}" OUTPUT_NAME ${name})
    get_filename_component(folder "${source}" DIRECTORY)
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src" "${folder}")
    target_link_libraries(${target} PRIVATE edo_test_support ${ARGN})
    edo_link_all(${target})
    if(TARGET CURL::libcurl)
        target_link_libraries(${target} PRIVATE CURL::libcurl)
    endif()
    add_test(NAME ${label}/${name} COMMAND ${target})
    edo_test_properties(${label}/${name} ${label} "${source}")
    file(STRINGS "${source}" one LIMIT_COUNT 20 REGEX "ctest: .*one backend")
    if(EDO_HAVE_uring AND label MATCHES "^(rt|net|fs|process|signal|http|tls|regress)$" AND NOT one)
        add_test(NAME uring/${label}/${name} COMMAND ${target})
        edo_test_properties(uring/${label}/${name} uring "${source}")
        set_property(TEST uring/${label}/${name} APPEND PROPERTY ENVIRONMENT
            "EDO_BACKEND=uring" "EDO_TEST_NEEDS=uring")
        if(EDO_DEBUG AND label STREQUAL "net")
            edo_test_old_kernel(${name} "${source}")
        endif()
    endif()
endfunction()

function(edo_test_script label source)
    get_filename_component(name "${source}" NAME_WE)
    add_test(NAME ${label}/${name} COMMAND sh "${source}")
    edo_test_properties(${label}/${name} ${label} "${source}")
endfunction()

set(test_kinds unit rt net fs process signal model regress sim conformance)
if(TARGET edo-http)
    list(APPEND test_kinds http)
endif()
if(TARGET edo-tls)
    list(APPEND test_kinds tls)
endif()
foreach(kind ${test_kinds})
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${kind}/*.c")
    foreach(source ${sources})
        edo_test(${kind} "${source}")
    endforeach()
endforeach()

if(NOT CMAKE_CROSSCOMPILING)
    get_property(apps GLOBAL PROPERTY EDO_APPS)
    foreach(app ${apps})
        file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/apps/${app}/tests/*.c")
        foreach(source ${sources})
            edo_test(${app} "${source}" app-${app})
        endforeach()
        file(GLOB scripts CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/apps/${app}/tests/*.sh")
        foreach(script ${scripts})
            edo_test_script(${app} "${script}")
        endforeach()
    endforeach()

    file(GLOB scripts CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/*/*.sh")
    foreach(script ${scripts})
        get_filename_component(folder "${script}" DIRECTORY)
        get_filename_component(kind "${folder}" NAME)
        if(NOT kind MATCHES "^(support|soak)$" AND (NOT kind MATCHES "^(http|tls)$" OR TARGET edo-${kind}))
            edo_test_script(${kind} "${script}")
        endif()
    endforeach()
endif()

# Every public header alone, as strict C11 and as C++17.
include(CheckLanguage)
if(NOT CMAKE_CROSSCOMPILING)
    check_language(CXX)
endif()
file(GLOB headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/edo/*.h")
if(headers AND CMAKE_CXX_COMPILER)
    enable_language(CXX)
    set(units "")
    foreach(header ${headers})
        get_filename_component(name "${header}" NAME_WE)
        foreach(suffix c cc)
            set(unit "${PROJECT_BINARY_DIR}/headers/${name}.${suffix}")
            set(text "#include <edo/${name}.h>\n#include <edo/${name}.h>\n")
            file(CONFIGURE OUTPUT "${unit}" CONTENT "${text}" @ONLY)
            list(APPEND units "${unit}")
        endforeach()
    endforeach()
    add_library(edo_headers OBJECT EXCLUDE_FROM_ALL ${units})
    set_target_properties(edo_headers PROPERTIES C_EXTENSIONS OFF CXX_EXTENSIONS OFF)
    target_include_directories(edo_headers PRIVATE "${PROJECT_SOURCE_DIR}/include")
    target_compile_options(edo_headers PRIVATE -Wall -Wextra -Wshadow -Wconversion -Werror)
    add_test(NAME unit/headers
        COMMAND "${CMAKE_COMMAND}" --build "${PROJECT_BINARY_DIR}" --target edo_headers)
    set_tests_properties(unit/headers PROPERTIES LABELS unit TIMEOUT 300 RUN_SERIAL ON)
endif()
