// SPDX-License-Identifier: Apache-2.0
// Volume: where it may hold bytes other than zeros.
#include "block/detail/data_walk.h"
#include "block/geometry.h"
#include "block/volume.h"

namespace kiln::block {
namespace {

// The block behind those that the bytes before `end` touch.
std::uint64_t block_behind(std::uint64_t end) {
    return (end + kBlockBytes - 1) / kBlockBytes;
}

// What a page says of the bytes from `begin` to before `end`.
std::vector<Extent> extents_of(const DataPage& page, std::uint64_t begin, std::uint64_t end,
                               std::size_t most) {
    std::vector<Extent> found;
    const auto add = [&](std::uint64_t until, bool zero) {
        until = std::min(until, end);
        if (until > begin && found.size() < most) {
            found.push_back({until - begin, zero});
            begin = until;
        }
    };
    for (const DataRange& range : page.ranges) {
        add(range.offset, true);
        add(range.offset + range.length, false);
    }
    add(page.end, true);
    return found;
}

}  // namespace

std::vector<Extent> Volume::extents(std::uint64_t offset, std::uint64_t length,
                                    std::size_t most) const {
    INVARIANT(length > 0 && offset + length <= size_bytes_);
    std::vector<Extent> found;
    const std::uint64_t end = offset + length;
    while (offset < end) {
        const std::uint64_t first = offset / kBlockBytes;
        const Source source = resolve(*stack_, first, block_behind(end) - first);
        const std::uint64_t until = std::min((first + source.count) * kBlockBytes, end);
        const bool zero = source.kind == Source::Kind::zeros;
        if (!found.empty() && found.back().zero == zero) {
            found.back().bytes += until - offset;
        } else if (found.size() == most) {
            break;
        } else {
            found.push_back({until - offset, zero});
        }
        offset = until;
    }
    return found;
}

void Volume::data_page(std::uint64_t offset, std::size_t most,
                       io::Callback<Result<DataPage>> done) {
    INVARIANT(!closed_);
    if (offset % kBlockBytes != 0 || offset > size_bytes_ || most == 0) {
        scheduler_.post([done = std::move(done)]() mutable {
            done(Error(Code::invalid_argument, "not a block of the volume"));
        });
        return;
    }
    ++in_flight_;
    find_data(scheduler_, stack_, {.size_bytes = size_bytes_, .offset = offset, .most = most},
              [this, done = std::move(done)](Result<DataPage> page) mutable {
                  end();
                  done(std::move(page));
              });
}

void Volume::status(std::uint64_t offset, std::uint64_t length, std::size_t most,
                    io::Callback<std::vector<Extent>> done) {
    INVARIANT(!closed_ && length > 0 && most > 0 && offset + length <= size_bytes_);
    ++in_flight_;
    auto finish = [this, done = std::move(done)](std::vector<Extent> found) mutable {
        end();
        done(std::move(found));
    };
    if (!stack_->base) {
        scheduler_.post(
            [finish = std::move(finish), found = extents(offset, length, most)]() mutable {
                finish(std::move(found));
            });
        return;
    }
    find_data(
        scheduler_, stack_,
        {.size_bytes = block_behind(offset + length) * kBlockBytes,
         .offset = offset / kBlockBytes * kBlockBytes,
         .most = most},
        [this, offset, length, most, finish = std::move(finish)](Result<DataPage> page) mutable {
            // An advice: without the nodes it is what memory knows.
            finish(page ? extents_of(*page, offset, offset + length, most)
                        : extents(offset, length, most));
        });
}

}  // namespace kiln::block
