// SPDX-License-Identifier: Apache-2.0
// The error code of a result, as tests compare it. Thread model: pure function.
#pragma once

#include <string>

#include "util/result.h"

namespace kiln::control::testing {

// Empty where there is no error.
template <class T>
std::string code_of(const Result<T>& result) {
    return result ? std::string() : result.error().api_code();
}

}  // namespace kiln::control::testing
