// SPDX-License-Identifier: Apache-2.0
// Text fields of fixed size in headers: padded with zeros, at least one. Thread model: pure
// functions.
#pragma once

#include <string>

#include "util/bytes.h"
#include "util/check.h"
#include "util/result.h"

namespace kiln::block {

inline void put_text(std::uint8_t* at, std::size_t size, std::string_view text) {
    INVARIANT(text.size() < size);
    std::memset(at, 0, size);
    std::memcpy(at, text.data(), text.size());
}

inline Result<std::string> get_text(const std::uint8_t* at, std::size_t size) {
    const std::size_t length = ::strnlen(reinterpret_cast<const char*>(at), size);
    for (std::size_t i = length; i < size; ++i) {
        if (at[i] != 0) {
            return Error(Code::data_loss, "a text field has bytes after its end");
        }
    }
    if (length == size) {
        return Error(Code::data_loss, "a text field has no end");
    }
    return std::string(reinterpret_cast<const char*>(at), length);
}

inline bool all_zero(ByteView bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace kiln::block
