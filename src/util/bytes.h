// SPDX-License-Identifier: Apache-2.0
// Bytes on disk and on the wire: little-endian (ours) and big-endian (NBD, QEMU) integers through
// functions, never through packed structs; and a bounds-checked reader for parsing bytes that came
// from outside.
//
// ByteReader latches its first failure: read everything, then ask ok() once. A value read after a
// failure is 0 or empty. Thread model: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using MutableByteView = std::span<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
inline void put_le(std::uint8_t* at, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        at[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i));
    }
}
template <class T>
inline T get_le(const std::uint8_t* at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        value |= static_cast<std::uint64_t>(at[i]) << (8 * i);
    }
    return static_cast<T>(value);
}
template <class T>
inline void put_be(std::uint8_t* at, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        at[sizeof(T) - 1 - i] =
            static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i));
    }
}
template <class T>
inline T get_be(const std::uint8_t* at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        value = value << 8 | at[i];
    }
    return static_cast<T>(value);
}

// Appends little-endian fields to a buffer.
class ByteWriter {
  public:
    explicit ByteWriter(Bytes& out) : out_(out) {}
    template <class T>
    ByteWriter& le(T value) {
        const std::size_t at = out_.size();
        out_.resize(at + sizeof(T));
        put_le<T>(out_.data() + at, value);
        return *this;
    }
    ByteWriter& bytes(ByteView data) {
        out_.insert(out_.end(), data.begin(), data.end());
        return *this;
    }
    ByteWriter& zeros(std::size_t count) {
        out_.resize(out_.size() + count, 0);
        return *this;
    }

  private:
    Bytes& out_;
};

// Reads little-endian fields; never reads past the end.
class ByteReader {
  public:
    explicit ByteReader(ByteView data) : data_(data) {}
    template <class T>
    T le() {
        if (!take(sizeof(T))) {
            return T{};
        }
        return get_le<T>(data_.data() + at_ - sizeof(T));
    }
    ByteView bytes(std::size_t count) {
        if (!take(count)) {
            return {};
        }
        return data_.subspan(at_ - count, count);
    }
    bool ok() const { return ok_; }
    std::size_t position() const { return at_; }
    std::size_t remaining() const { return data_.size() - at_; }

  private:
    bool take(std::size_t count) {
        if (!ok_ || count > data_.size() - at_) {
            ok_ = false;
            return false;
        }
        at_ += count;
        return true;
    }
    ByteView data_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

// a + b or a * b without wrapping; false when the result does not fit.
inline bool checked_add(std::uint64_t a, std::uint64_t b, std::uint64_t& out) {
    return !__builtin_add_overflow(a, b, &out);
}
inline bool checked_mul(std::uint64_t a, std::uint64_t b, std::uint64_t& out) {
    return !__builtin_mul_overflow(a, b, &out);
}

}  // namespace kiln
