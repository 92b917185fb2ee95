// SPDX-License-Identifier: Apache-2.0
// CON-4: pictures of screens, read as QEMU writes them and made into JPEG.
#include "compute/screen.h"

#include <doctest/doctest.h>
#include <turbojpeg.h>

#include <memory>

using namespace kiln;
using namespace kiln::compute;

namespace {

// Left half red, right half blue.
Picture two_halves(std::uint32_t width, std::uint32_t height) {
    Picture picture{width, height, {}};
    for (std::uint32_t y = 0; y < height; ++y) {
        for (std::uint32_t x = 0; x < width; ++x) {
            picture.rgb += x < width / 2 ? std::string("\xff\0\0", 3) : std::string("\0\0\xff", 3);
        }
    }
    return picture;
}

}  // namespace

TEST_CASE("a picture is read as it was written, comments and all") {
    const Picture picture = two_halves(6, 4);
    const auto read = parse_ppm(to_ppm(picture));
    REQUIRE(read);
    CHECK(*read == picture);
    const auto commented = parse_ppm("P6 # by hand\n 1\t1 # one point\n255\nabc");
    REQUIRE(commented);
    CHECK(commented->rgb == "abc");
}

TEST_CASE("what is no whole picture is refused") {
    for (const char* text :
         {"", "P6", "P5\n1 1\n255\nabc", "P6\n1 1\n255\nab", "P6\n1 1\n255\nabcd", "P6\n0 1\n255\n",
          "P6\n1 1\n65535\nabcdef", "P6\n99999 1\n255\n", "P6\n4294967297 1\n255\nabc",
          "P6\n1 1\n255", "P6\n-1 1\n255\nabc", "P6\n1 1 #"}) {
        CAPTURE(text);
        const auto read = parse_ppm(text);
        REQUIRE_FALSE(read);
        CHECK(read.error().code() == Code::data_loss);
    }
}

TEST_CASE("a JPEG has the size and the colours of its picture") {
    const auto jpeg = to_jpeg(two_halves(64, 32));
    REQUIRE(jpeg);
    const auto* bytes = reinterpret_cast<const unsigned char*>(jpeg->data());
    const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
    std::string rgb(64UL * 32 * 3, '\0');
    REQUIRE(tjDecompress2(decoder.get(), bytes, jpeg->size(),
                          reinterpret_cast<unsigned char*>(rgb.data()), 64, 0, 32, TJPF_RGB,
                          0) == 0);
    CHECK(static_cast<unsigned char>(rgb[0]) > 240);
    CHECK(static_cast<unsigned char>(rgb[2]) < 16);
    CHECK(static_cast<unsigned char>(rgb[63 * 3]) < 16);
    CHECK(static_cast<unsigned char>(rgb[63 * 3 + 2]) > 240);
    CHECK_FALSE(to_jpeg(Picture{2, 2, "short"}));
    CHECK_FALSE(to_jpeg(Picture{}));
}
