// SPDX-License-Identifier: Apache-2.0
// INVARIANT(condition): a broken invariant stops the process, in release builds too: stopping beats
// corrupting. For bad input return an Error instead.
#pragma once

namespace kiln {
[[noreturn]] void check_failed(const char* expression, const char* file, int line,
                               const char* message);
}

#define INVARIANT(condition)                                               \
    do {                                                                   \
        if (!(condition)) [[unlikely]] {                                   \
            ::kiln::check_failed(#condition, __FILE__, __LINE__, nullptr); \
        }                                                                  \
    } while (0)
#define INVARIANT_MSG(condition, message)                                    \
    do {                                                                     \
        if (!(condition)) [[unlikely]] {                                     \
            ::kiln::check_failed(#condition, __FILE__, __LINE__, (message)); \
        }                                                                    \
    } while (0)
