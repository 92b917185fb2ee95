// SPDX-License-Identifier: Apache-2.0
#include "net/extent_stream.h"

#include <doctest/doctest.h>

#include <map>

using namespace kiln;
using namespace kiln::net;

namespace {

Bytes stream(std::initializer_list<std::pair<std::uint64_t, std::uint32_t>> extents,
             std::uint64_t end) {
    Bytes out(kExtentMagic.begin(), kExtentMagic.end());
    std::uint8_t fill = 1;
    for (const auto& [offset, length] : extents) {
        const auto header = encode_extent_header(offset, length);
        out.insert(out.end(), header.begin(), header.end());
        out.insert(out.end(), length, fill++);
    }
    const auto header = encode_extent_header(end, 0);
    out.insert(out.end(), header.begin(), header.end());
    return out;
}

// The disk that comes out, or why none does.
Result<Bytes> decode(const Bytes& input, std::uint64_t size, std::size_t piece) {
    ExtentDecoder decoder(size);
    Bytes disk(size, 0);
    for (std::size_t at = 0; at < input.size(); at += piece) {
        TRY(decoder.feed(ByteView(input).subspan(at, std::min(piece, input.size() - at)),
                         [&](std::uint64_t offset, ByteView data) {
                             std::copy(data.begin(), data.end(),
                                       disk.begin() + static_cast<std::ptrdiff_t>(offset));
                             return ok();
                         }));
    }
    TRY(decoder.finish());
    return disk;
}

}  // namespace

TEST_CASE("extents come out where they belong, in pieces of any length") {
    const std::uint64_t size = 5 * 4096 + 17;
    const Bytes input = stream({{4096, 4096}, {3 * 4096, 2 * 4096 + 17}}, size);
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{7}, std::size_t{4096}, input.size()}) {
        const auto disk = decode(input, size, piece);
        REQUIRE(disk);
        CHECK((*disk)[4095] == 0);
        CHECK((*disk)[4096] == 1);
        CHECK((*disk)[2 * 4096] == 0);
        CHECK((*disk)[3 * 4096] == 2);
        CHECK((*disk)[size - 1] == 2);
    }
}

TEST_CASE("a disk of zeros is its end alone") {
    CHECK(decode(stream({}, 8192), 8192, 3));
}

TEST_CASE("a stream that breaks a rule is refused, and says where") {
    struct Wrong {
        Bytes input;
        const char* words;
    };
    Bytes cut = stream({{0, 4096}}, 8192);
    cut.resize(cut.size() - 1);
    Bytes longer = stream({}, 8192);
    longer.push_back(0);
    Bytes other = stream({}, 8192);
    other[0] = 'X';
    const Wrong wrongs[] = {
        {stream({{4096, 4096}, {0, 4096}}, 8192), "do not ascend"},
        {stream({{0, 8192}, {4096, 4096}}, 8192), "do not ascend"},
        {stream({{4096, 8192}}, 8192), "beyond the disk"},
        {stream({{std::uint64_t{0} - 4096, 4096}}, 8192), "beyond the disk"},
        {stream({{1, 4096}}, 8192), "not aligned"},
        {stream({{0, 100}}, 8192), "not aligned"},
        {stream({}, 4096), "another size"},
        {cut, "ends early"},
        {longer, "after the end"},
        {other, "not one"},
    };
    for (const Wrong& wrong : wrongs) {
        const auto disk = decode(wrong.input, 8192, 5);
        REQUIRE_FALSE(disk);
        CHECK(disk.error().code() == Code::invalid_argument);
        CHECK(disk.error().message().find(wrong.words) != std::string::npos);
    }
}
