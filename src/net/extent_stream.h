// SPDX-License-Identifier: Apache-2.0
// Extent streams (docs/formats/extent-stream.md): a disk as the extents that are not zeros. The
// decoder takes outside bytes in pieces of any length, and holds none of them.
//
// Errors: invalid_argument for a stream that breaks a rule, with what and where. Thread model: one
// owner thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln::net {

inline constexpr std::string_view kExtentMagic = "KILNEXT1";
inline constexpr std::uint64_t kExtentAlignment = 4096;
inline constexpr std::uint32_t kMaxExtentBytes = 4U << 20;
inline constexpr std::size_t kExtentHeaderBytes = 12;

// The header of an extent; with length 0, the end.
std::array<std::uint8_t, kExtentHeaderBytes> encode_extent_header(std::uint64_t offset,
                                                                  std::uint32_t length);

class ExtentDecoder {
  public:
    // Bytes of the disk at an offset, ascending.
    using Sink = std::function<Status(std::uint64_t offset, ByteView data)>;

    explicit ExtentDecoder(std::uint64_t disk_bytes) : disk_bytes_(disk_bytes) {}

    Status feed(ByteView input, const Sink& sink);
    // After the last input.
    Status finish() const;

  private:
    Status take_header();

    const std::uint64_t disk_bytes_;
    std::array<std::uint8_t, kExtentHeaderBytes> header_{};
    std::size_t header_bytes_ = 0;
    std::size_t magic_bytes_ = 0;
    std::uint64_t offset_ = 0;  // of the next byte of data
    std::uint64_t left_ = 0;    // of the extent under way
    bool ended_ = false;
};

}  // namespace kiln::net
