# SPDX-License-Identifier: Apache-2.0
# The library kiln_console: the web console's files (console/), built by npm and made part of the program. With
# KILN_CONSOLE=OFF, for builds without npm, it holds none and the program says so.
option(KILN_CONSOLE "build the web console into the program (needs npm)" ON)

set(console_out ${CMAKE_BINARY_DIR}/console)
if(KILN_CONSOLE)
    enable_language(ASM)
    file(GLOB_RECURSE console_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/console/src/* ${CMAKE_SOURCE_DIR}/console/public/*)
    list(APPEND console_sources ${CMAKE_SOURCE_DIR}/tools/build-console ${CMAKE_SOURCE_DIR}/tools/npm-packages)
    foreach(name index.html package.json package-lock.json tsconfig.json vite.config.ts)
        list(APPEND console_sources ${CMAKE_SOURCE_DIR}/console/${name})
    endforeach()
    add_custom_command(
        OUTPUT ${console_out}/console_files.cpp ${console_out}/console_files.S
        COMMAND ${CMAKE_SOURCE_DIR}/tools/build-console ${console_out}
        DEPENDS ${console_sources}
        COMMENT "Building the web console" VERBATIM)
    set_source_files_properties(${console_out}/console_files.S PROPERTIES
        OBJECT_DEPENDS ${console_out}/console_files.cpp
        COMPILE_OPTIONS -Wa,-I${console_out})
    add_library(kiln_console STATIC ${console_out}/console_files.cpp ${console_out}/console_files.S)
else()
    file(WRITE ${console_out}/console_files.cpp
        "#include \"api/console/console_files.h\"\n"
        "std::span<const kiln::api::ConsoleFile> kiln::api::built_in_console() { return {}; }\n")
    add_library(kiln_console STATIC ${console_out}/console_files.cpp)
endif()
target_include_directories(kiln_console PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(kiln_console PUBLIC kiln_util)
