// SPDX-License-Identifier: Apache-2.0
#include "crypto/detail/ssh_wire.h"

#include "util/encoding.h"

namespace kiln::crypto::detail {

SshWriter& SshWriter::number(std::uint32_t value) {
    std::uint8_t bytes[4];
    put_be(bytes, value);
    return raw(bytes);
}

SshWriter& SshWriter::raw(ByteView data) {
    out_.insert(out_.end(), data.begin(), data.end());
    return *this;
}

SshWriter& SshWriter::string(ByteView data) {
    return number(static_cast<std::uint32_t>(data.size())).raw(data);
}

SshWriter& SshWriter::mpint(ByteView magnitude) {
    while (!magnitude.empty() && magnitude.front() == 0) {
        magnitude = magnitude.subspan(1);
    }
    const bool sign_bit = !magnitude.empty() && (magnitude.front() & 0x80U) != 0;
    number(static_cast<std::uint32_t>(magnitude.size()) + (sign_bit ? 1 : 0));
    if (sign_bit) {
        out_.push_back(0);
    }
    return raw(magnitude);
}

std::optional<ByteView> SshReader::string() {
    if (rest_.size() < 4) {
        return std::nullopt;
    }
    const std::size_t size = get_be<std::uint32_t>(rest_.data());
    if (size > rest_.size() - 4) {
        return std::nullopt;
    }
    const ByteView data = rest_.subspan(4, size);
    rest_ = rest_.subspan(4 + size);
    return data;
}

std::optional<ByteView> SshReader::mpint() {
    const std::optional<ByteView> data = string();
    if (!data || data->empty() || (data->front() & 0x80U) != 0) {
        return std::nullopt;
    }
    if (data->front() != 0) {
        return data;
    }
    const ByteView magnitude = data->subspan(1);
    const bool needed = !magnitude.empty() && (magnitude.front() & 0x80U) != 0;
    return needed ? std::optional<ByteView>(magnitude) : std::nullopt;
}

std::string base64_lines(ByteView data, std::size_t columns) {
    const std::string all = base64_encode(data);
    std::string text;
    for (std::size_t at = 0; at < all.size(); at += columns) {
        text += all.substr(at, columns) + "\n";
    }
    return text;
}

std::string colon_hex(ByteView data) {
    const std::string all = hex_encode(data);
    std::string text;
    for (std::size_t at = 0; at < all.size(); at += 2) {
        text += (at == 0 ? "" : ":") + all.substr(at, 2);
    }
    return text;
}

}  // namespace kiln::crypto::detail
