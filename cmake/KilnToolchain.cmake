# SPDX-License-Identifier: Apache-2.0
# Compiler, linker and cache settings shared by every target.
find_program(KILN_CCACHE ccache)
if(KILN_CCACHE)
    # Objects are found again in another clone of the tree, and with precompiled headers, which are only cacheable when ccache does
    # not compare time stamps (ccache's manual, "Precompiled headers").
    set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${KILN_CCACHE})
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
    if(KILN_SANITIZE MATCHES "thread" AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        # It does not follow fences. Ours order what a guest sees, which is no thread of the process.
        add_compile_options(-Wno-tsan)
    endif()
    if(KILN_SANITIZE MATCHES "undefined" AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        # GCC puts these two at every access to a member, which doubles the build. ASan reports a null dereference by itself;
        # misaligned reads are looked for by the fuzz targets, which clang builds with all checks.
        add_compile_options(-fno-sanitize=null,alignment)
    endif()
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
