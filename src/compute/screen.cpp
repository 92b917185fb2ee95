// SPDX-License-Identifier: Apache-2.0
#include "compute/screen.h"

#include <fmt/format.h>
#include <turbojpeg.h>

#include <algorithm>
#include <memory>
#include <optional>

namespace kiln::compute {
namespace {

constexpr std::size_t kBytesPerPoint = 3;
constexpr int kQuality = 90;  // text stays legible
constexpr std::uint32_t kMaxValue = 255;

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// The next number of the header: white space, comments to the end of their line, digits.
std::optional<std::uint32_t> take_number(std::string_view& text) {
    while (!text.empty() && (is_space(text.front()) || text.front() == '#')) {
        const std::size_t skip = text.front() == '#' ? text.find('\n') : 1;
        text.remove_prefix(std::min(skip, text.size()));
    }
    std::optional<std::uint32_t> number;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        const std::uint32_t value =
            number.value_or(0) * 10 + static_cast<std::uint32_t>(text.front() - '0');
        if (value > kMaxScreenSide) {
            return std::nullopt;
        }
        number = value;
        text.remove_prefix(1);
    }
    return number;
}

Error broken(std::string_view what) {
    return Error(Code::data_loss, fmt::format("the picture of the screen is broken: {}", what));
}

std::size_t size_of(const Picture& picture) {
    return std::size_t{picture.width} * picture.height * kBytesPerPoint;
}

}  // namespace

Result<Picture> parse_ppm(std::string_view bytes) {
    if (bytes.substr(0, 2) != "P6") {
        return broken("it does not begin with P6");
    }
    bytes.remove_prefix(2);
    const auto width = take_number(bytes);
    const auto height = take_number(bytes);
    const auto most = take_number(bytes);
    if (!width || !height || *width == 0 || *height == 0) {
        return broken("its size makes no sense");
    }
    if (most != kMaxValue || bytes.empty() || !is_space(bytes.front())) {
        return broken("its points are not three bytes");
    }
    bytes.remove_prefix(1);
    Picture picture{*width, *height, {}};
    if (bytes.size() != size_of(picture)) {
        return broken(fmt::format("{} bytes for {} x {} points", bytes.size(), *width, *height));
    }
    picture.rgb = std::string(bytes);
    return picture;
}

std::string to_ppm(const Picture& picture) {
    return fmt::format("P6\n{} {}\n{}\n", picture.width, picture.height, kMaxValue) + picture.rgb;
}

Result<std::string> to_jpeg(const Picture& picture) {
    if (picture.width == 0 || picture.height == 0 || picture.width > kMaxScreenSide ||
        picture.height > kMaxScreenSide || picture.rgb.size() != size_of(picture)) {
        return broken("its size makes no sense");
    }
    const std::unique_ptr<void, int (*)(tjhandle)> encoder(tjInitCompress(), tjDestroy);
    if (!encoder) {
        return Error(Code::internal, "the JPEG library does not start");
    }
    unsigned char* made = nullptr;
    unsigned long size = 0;  // NOLINT(google-runtime-int): the library's type
    const int failed =
        tjCompress2(encoder.get(), reinterpret_cast<const unsigned char*>(picture.rgb.data()),
                    static_cast<int>(picture.width), 0, static_cast<int>(picture.height), TJPF_RGB,
                    &made, &size, TJSAMP_444, kQuality, 0);
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(made, tjFree);
    if (failed != 0) {
        return Error(Code::internal,
                     fmt::format("the JPEG library: {}", tjGetErrorStr2(encoder.get())));
    }
    return std::string(reinterpret_cast<const char*>(made), size);
}

}  // namespace kiln::compute
