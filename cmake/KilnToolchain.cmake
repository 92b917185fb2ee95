# SPDX-License-Identifier: Apache-2.0
# Compiler, linker and cache settings shared by every target.
find_program(KILN_CCACHE ccache)
if(KILN_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${KILN_CCACHE})
    # A precompiled header is only cacheable when ccache does not compare time stamps.
    set(ENV{CCACHE_SLOPPINESS} "pch_defines,time_macros,include_file_mtime,include_file_ctime")
endif()
find_program(KILN_MOLD mold)
if(KILN_MOLD AND NOT KILN_NO_MOLD)
    add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
                    -Wno-missing-field-initializers)
# Compilers we do not test with warn of other things: packages are built without.
option(KILN_WERROR "treat warnings as errors" ON)
if(KILN_WERROR)
    add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-Wthread-safety)
else()
    # GCC 12 reports these falsely inside std::string and std::optional at -O2.
    add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-dangling-pointer -fpch-preprocess)
endif()

set(KILN_SANITIZE "" CACHE STRING "sanitizers, as given to -fsanitize=")
if(KILN_SANITIZE)
    add_compile_options(-fsanitize=${KILN_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${KILN_SANITIZE})
endif()
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(prometheus-cpp REQUIRED)
# The names of the shared fmt and spdlog change with every release of a distribution; those of our other libraries stay. With both
# compiled in, one package serves several releases (docs/packaging.md).
option(KILN_OWN_FORMAT "compile fmt and spdlog into the program" OFF)
set(KILN_SPDLOG spdlog::spdlog)
if(KILN_OWN_FORMAT)
    add_compile_definitions(FMT_HEADER_ONLY=1)
    add_link_options(-Wl,--as-needed)
    set(KILN_SPDLOG spdlog::spdlog_header_only)
endif()
