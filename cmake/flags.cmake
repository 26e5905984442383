# SPDX-License-Identifier: MIT
# What every file of the project is compiled with. Nothing of it reaches those who link the libraries.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_ENABLE_EXPORTS ON) # names of functions in stack traces

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# edo_assert stays on in every build, so NDEBUG is never defined.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g" CACHE STRING "" FORCE)
set(CMAKE_C_FLAGS_DEBUG "-O0 -g" CACHE STRING "" FORCE)

add_library(edo_flags INTERFACE)
target_compile_definitions(edo_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
target_compile_options(edo_flags INTERFACE
    -fno-semantic-interposition
    "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/="
    $<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wshadow;-Wconversion;-Wstrict-prototypes;-Wvla>)
# Two members of a struct that are set together: gcc 12 puts them into one vector register first, which
# takes longer than two stores.
target_compile_options(edo_flags INTERFACE $<$<C_COMPILER_ID:GNU>:-fno-tree-slp-vectorize>)
# edo_assert(!"what happened") is an idiom; clang's -Wconversion would refuse it, gcc skips the option.
target_compile_options(edo_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-Wno-string-conversion>)
# The valgrind of Debian 12 cannot read the DWARF 5 of its clang.
target_compile_options(edo_flags INTERFACE $<$<C_COMPILER_ID:Clang>:-gdwarf-4>)
if(EDO_WERROR)
    target_compile_options(edo_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-Werror>)
endif()

if(EDO_SANITIZE)
    target_compile_options(edo_flags INTERFACE
        "-fsanitize=${EDO_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(edo_flags INTERFACE "-fsanitize=${EDO_SANITIZE}")
    if(EDO_SANITIZE MATCHES thread AND CMAKE_C_COMPILER_ID STREQUAL GNU)
        # gcc only notes that it cannot model fences; the fences here have atomics on both sides.
        target_compile_options(edo_flags INTERFACE -Wno-tsan)
    endif()
endif()

# For what runs on task stacks. Red zones of sanitizers and -O0 make frames larger than they are, and the
# checks of tests add up.
add_library(edo_frame_limit INTERFACE)
if(CMAKE_BUILD_TYPE STREQUAL Release)
    target_compile_options(edo_frame_limit INTERFACE
        $<$<COMPILE_LANGUAGE:C>:-Wframe-larger-than=4096>)
endif()

if(EDO_PROBES AND EDO_HAVE_sdt)
    target_compile_definitions(edo_flags INTERFACE EDO_PROBES=1)
endif()

foreach(name UCONTEXT FORCE_MIGRATE DEBUG)
    if(EDO_${name})
        target_compile_definitions(edo_flags INTERFACE EDO_${name}=1)
    endif()
endforeach()
