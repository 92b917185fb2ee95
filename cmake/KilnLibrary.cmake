# SPDX-License-Identifier: Apache-2.0
add_library(kiln_test_main OBJECT ${CMAKE_SOURCE_DIR}/src/util/testing/main.cc)

# kiln_library(NAME DEPS ...): a static library kiln_NAME from NAME/*.cpp and its sub-directories, and, where
# NAME/tests/*.cpp exist, one test program NAME_tests with doctest's main.
#
#   DEPS       libraries below this one and imported packages (PUBLIC)
#   PRIVATE    what only the .cpp files need
#   TEST_DEPS  what only the tests need
function(kiln_library name)
    cmake_parse_arguments(ARG "" "" "DEPS;PRIVATE;TEST_DEPS" ${ARGN})
    # Relative: where the project lies must not count.
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    list(FILTER sources EXCLUDE REGEX "(^|/)(tests|fuzz|bench|sim|flips)/|(^|/)main\\.cpp$")
    if(NOT sources)
        add_library(kiln_${name} INTERFACE)
        return()
    endif()
    add_library(kiln_${name} STATIC ${sources})
    target_include_directories(kiln_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(kiln_${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE} Threads::Threads)
    target_precompile_headers(kiln_${name} PRIVATE <util/pch.h>)

    file(GLOB_RECURSE tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tests/*.cpp)
    if(tests)
        add_executable(${name}_tests ${tests})
        target_link_libraries(${name}_tests PRIVATE kiln_test_main kiln_${name} ${ARG_TEST_DEPS} ${ARG_PRIVATE})
        target_precompile_headers(${name}_tests REUSE_FROM kiln_${name})
    endif()
endfunction()
