// SPDX-License-Identifier: Apache-2.0
// Golden files: what was written once and is to be written for ever. GOLDEN_ACCEPT=1 writes the
// file instead of comparing.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "util/fs.h"

namespace kiln::testing {

inline void check_golden(const std::string& path, std::string_view now) {
    if (std::getenv("GOLDEN_ACCEPT") != nullptr) {
        REQUIRE(write_file_atomic(path, now));
        MESSAGE("rewritten: " << path);
        return;
    }
    const auto golden = read_file(path);
    REQUIRE_MESSAGE(golden, path << " is missing; GOLDEN_ACCEPT=1 writes it");
    CHECK(now == *golden);
}

}  // namespace kiln::testing
