// SPDX-License-Identifier: Apache-2.0
// What a machine shows on its screen (CON-4): the picture QEMU writes (PPM, "P6"; netpbm's
// ppm(5)), and the JPEG that clients are given. Thread model: plain values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "util/result.h"

namespace kiln::compute {

// A side of a picture has at most so many points; no display of a machine has more.
inline constexpr std::uint32_t kMaxScreenSide = 8192;
// The greatest PPM that is read: 64 MiB.
inline constexpr std::size_t kMaxScreenBytes = 64U << 20;

struct Picture {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    std::string rgb;  // three bytes per point, from the top left, rows without gaps
    friend bool operator==(const Picture&, const Picture&) = default;
};

// data_loss for what is no whole picture.
Result<Picture> parse_ppm(std::string_view bytes);
std::string to_ppm(const Picture& picture);
Result<std::string> to_jpeg(const Picture& picture);

}  // namespace kiln::compute
