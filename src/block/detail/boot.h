// SPDX-License-Identifier: Apache-2.0
// The kernel's name of this boot: whether there was a loss of power since. Thread model: a pure
// function.
#pragma once

#include <string>

#include "util/fs.h"

namespace kiln::block {

inline Result<std::string> this_boot() {
    TRY_ASSIGN(std::string text, read_file("/proc/sys/kernel/random/boot_id", 4096));
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    return text;
}

}  // namespace kiln::block
