# SPDX-License-Identifier: Apache-2.0
# One program fuzz_LIB_NAME per src/LIB/fuzz/NAME_fuzz.cpp. In the `fuzz` preset (clang) it is a libFuzzer program; in every
# other preset it replays the corpus, which tools/run-tests does as a plain test. The target `fuzzers` builds them all.
#
# The corpus of a target lies in src/LIB/fuzz/corpus/NAME, or in src/LIB/fuzz/corpus where the library has one target.
option(KILN_FUZZ "build the fuzz targets with libFuzzer" OFF)

add_custom_target(fuzzers)
add_library(kiln_fuzz_replay OBJECT ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*/fuzz/*_fuzz.cpp)
foreach(source ${fuzz_sources})
    string(REGEX REPLACE "^.*/src/([^/]+)/fuzz/(.+)_fuzz\\.cpp$" "fuzz_\\1_\\2" target ${source})
    string(REGEX REPLACE "^.*/src/([^/]+)/fuzz/.*$" "\\1" lib ${source})
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE kiln_${lib})
    if(KILN_FUZZ)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
        target_compile_definitions(${target} PRIVATE KILN_LIBFUZZER)
    else()
        target_link_libraries(${target} PRIVATE kiln_fuzz_replay)
    endif()
    add_dependencies(fuzzers ${target})
endforeach()
