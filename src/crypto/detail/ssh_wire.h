// SPDX-License-Identifier: Apache-2.0
// The data types of SSH (RFC 4251, 5): strings with a length before them, and numbers as such
// strings. Thread model: plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "util/bytes.h"

namespace kiln::crypto::detail {

class SshWriter {
  public:
    SshWriter& number(std::uint32_t value);
    SshWriter& raw(ByteView data);
    SshWriter& string(ByteView data);
    SshWriter& string(std::string_view text) { return string(as_bytes(text)); }
    // Big-endian and not negative: leading zeros go, one stands before a set top bit.
    SshWriter& mpint(ByteView magnitude);
    Bytes take() { return std::move(out_); }
    const Bytes& bytes() const { return out_; }

  private:
    Bytes out_;
};

// Everything is checked against what is left.
class SshReader {
  public:
    explicit SshReader(ByteView data) : rest_(data) {}
    std::optional<ByteView> string();
    // Positive and in its one canonical form; without the leading zero.
    std::optional<ByteView> mpint();
    bool at_end() const { return rest_.empty(); }

  private:
    ByteView rest_;
};

// Base64 in lines, each ended by a newline.
std::string base64_lines(ByteView data, std::size_t columns);
// "aa:bb:cc"
std::string colon_hex(ByteView data);

}  // namespace kiln::crypto::detail
