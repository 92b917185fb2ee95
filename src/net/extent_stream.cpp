// SPDX-License-Identifier: Apache-2.0
#include "net/extent_stream.h"

#include <algorithm>
#include <string>

namespace kiln::net {
namespace {

Error broken(const std::string& why, std::uint64_t offset) {
    return Error(Code::invalid_argument,
                 "extent stream: " + why + " at offset " + std::to_string(offset));
}

}  // namespace

std::array<std::uint8_t, kExtentHeaderBytes> encode_extent_header(std::uint64_t offset,
                                                                  std::uint32_t length) {
    std::array<std::uint8_t, kExtentHeaderBytes> header{};
    put_le(header.data(), offset);
    put_le(header.data() + 8, length);
    return header;
}

Status ExtentDecoder::feed(ByteView input, const Sink& sink) {
    while (!input.empty()) {
        if (ended_) {
            return broken("bytes after the end", offset_);
        }
        if (magic_bytes_ < kExtentMagic.size()) {
            if (input.front() != static_cast<std::uint8_t>(kExtentMagic[magic_bytes_])) {
                return broken("not one", 0);
            }
            ++magic_bytes_;
            input = input.subspan(1);
        } else if (left_ > 0) {
            const auto part =
                static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
            TRY(sink(offset_, input.first(part)));
            offset_ += part;
            left_ -= part;
            input = input.subspan(part);
        } else {
            const std::size_t part = std::min(kExtentHeaderBytes - header_bytes_, input.size());
            std::copy_n(input.begin(), part,
                        header_.begin() + static_cast<std::ptrdiff_t>(header_bytes_));
            header_bytes_ += part;
            input = input.subspan(part);
            if (header_bytes_ == kExtentHeaderBytes) {
                header_bytes_ = 0;
                TRY(take_header());
            }
        }
    }
    return ok();
}

Status ExtentDecoder::take_header() {
    const auto offset = get_le<std::uint64_t>(header_.data());
    const auto length = get_le<std::uint32_t>(header_.data() + 8);
    if (length == 0) {
        if (offset != disk_bytes_) {
            return broken("the end names another size than was announced", offset);
        }
        ended_ = true;
        return ok();
    }
    if (offset < offset_) {
        return broken("extents do not ascend", offset);
    }
    if (offset > disk_bytes_ || length > disk_bytes_ - offset) {
        return broken("an extent goes beyond the disk", offset);
    }
    if (length > kMaxExtentBytes) {
        return broken("an extent is longer than 4 MiB", offset);
    }
    const bool last = offset + length == disk_bytes_;
    if (offset % kExtentAlignment != 0 || (length % kExtentAlignment != 0 && !last)) {
        return broken("an extent is not aligned to 4096 bytes", offset);
    }
    offset_ = offset;
    left_ = length;
    return ok();
}

Status ExtentDecoder::finish() const {
    return ended_ ? ok() : Status(broken("it ends early", offset_));
}

}  // namespace kiln::net
