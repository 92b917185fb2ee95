// SPDX-License-Identifier: Apache-2.0
#include "util/check.h"

#include <cstdio>
#include <cstdlib>

namespace kiln {

void check_failed(const char* expression, const char* file, int line, const char* message) {
    std::fprintf(stderr, "kiln: broken invariant: %s at %s:%d%s%s\n", expression, file, line,
                 message ? ": " : "", message ? message : "");
    std::fflush(stderr);
    std::abort();
}

}  // namespace kiln
