// SPDX-License-Identifier: Apache-2.0
#include "control/disk_diffs.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"

namespace kiln::control {
namespace {

constexpr std::uint64_t kBlockBytes = 512U << 10;
constexpr std::size_t kBlocksPerPage = 20'000;
// Read of both sides together, for one page.
constexpr std::uint64_t kBytesPerPage = 256U << 20;
constexpr std::size_t kRangesAtOnce = 64;
constexpr std::chrono::seconds kCallTime{120};

void add_block(DiskDiff& page, std::uint64_t block) {
    const std::uint64_t offset = block * page.block_bytes;
    if (!page.ranges.empty() && page.ranges.back().offset + page.ranges.back().length == offset) {
        page.ranges.back().length += page.block_bytes;
    } else {
        page.ranges.push_back({offset, page.block_bytes});
    }
}

// One disk, read in ascending order.
class Side {
  public:
    static Result<std::unique_ptr<Side>> open(const Parts& parts, std::function<void()> work_added,
                                              const model::Content& content) {
        TRY_ASSIGN(auto view, ContentView::open(parts, std::move(work_added), content.id, "diff"));
        return std::unique_ptr<Side>(new Side(parts.engine, std::move(view), content.size_bytes));
    }

    // The first byte at or after `from` that may not be zero; the end of all if there is none.
    // `from` is a multiple of a block.
    Result<std::uint64_t> next_data(std::uint64_t from) {
        while (from < size_) {
            const auto at = std::ranges::find_if(page_.ranges, [&](const block::DataRange& range) {
                return range.offset + range.length > from;
            });
            if (at != page_.ranges.end()) {
                return std::max(from, at->offset);
            }
            from = std::max(from, page_.end);
            if (from < size_) {
                TRY_ASSIGN(page_, engine_.find_data(view_->name(), from, kRangesAtOnce,
                                                    Deadline::after(kCallTime)));
            }
        }
        return ~std::uint64_t{0};
    }
    // With zeros behind the end.
    Result<Bytes> read(std::uint64_t offset) {
        Bytes bytes;
        if (offset < size_) {
            const auto length = static_cast<std::uint32_t>(std::min(kBlockBytes, size_ - offset));
            TRY_ASSIGN(bytes,
                       engine_.read(view_->name(), offset, length, Deadline::after(kCallTime)));
        }
        bytes.resize(kBlockBytes);
        return bytes;
    }

  private:
    Side(block::Engine& engine, std::unique_ptr<ContentView> view, std::uint64_t size)
        : engine_(engine), view_(std::move(view)), size_(size) {}

    block::Engine& engine_;
    const std::unique_ptr<ContentView> view_;
    const std::uint64_t size_;
    block::DataPage page_;
};

}  // namespace

struct DiskDiffs::Sides {
    ExportableDisk from_disk;
    ExportableDisk to_disk;
    model::Content from;
    model::Content to;
};

Result<DiskDiffs::Sides> DiskDiffs::find(const Caller& caller, const std::string& from,
                                         const std::string& to) {
    Sides sides;
    TRY_ASSIGN(sides.from_disk, exports_.find(caller, from));
    TRY_ASSIGN(sides.to_disk, exports_.find(caller, to));
    TRY(parts_.store.read([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(sides.from, tx.contents().get(sides.from_disk.content_id));
        TRY_ASSIGN(sides.to, tx.contents().get(sides.to_disk.content_id));
        return ok();
    }));
    return sides;
}

Result<DiskDiff> DiskDiffs::page(const Caller& caller, const std::string& from,
                                 const std::string& to, std::uint64_t offset) {
    if (offset % kBlockBytes != 0) {
        return errors::invalid_parameter_value(
            fmt::format("A diff goes on at a multiple of {} bytes.", kBlockBytes));
    }
    TRY_ASSIGN(const Sides sides, find(caller, from, to));
    DiskDiff page;
    page.from_bytes = sides.from.size_bytes;
    page.to_bytes = sides.to.size_bytes;
    page.block_bytes = kBlockBytes;
    const bool stored = sides.from.state == model::ContentState::rooted &&
                        sides.to.state == model::ContentState::rooted;
    Status compared = ok();
    if (sides.from.id != sides.to.id) {
        compared = stored ? compare_trees(sides, offset, page) : compare_bytes(sides, offset, page);
    }
    if (!compared) {
        return explain(sides, std::move(compared.error()));
    }
    return page;
}

// Packs are kept only for what is named.
Error DiskDiffs::explain(const Sides& sides, Error error) {
    const auto there = parts_.store.read([&](catalog::Transaction& tx) -> Result<bool> {
        TRY_ASSIGN(const auto from, tx.contents().find(sides.from.id));
        TRY_ASSIGN(const auto to, tx.contents().find(sides.to.id));
        return from && to;
    });
    if (there && !*there) {
        return Error::api(Code::unavailable, "Unavailable",
                          "One of the two was deleted while they were compared.");
    }
    return error;
}

Status DiskDiffs::compare_trees(const Sides& sides, std::uint64_t offset, DiskDiff& page) {
    TRY_ASSIGN(
        const block::LeafPage leaves,
        parts_.engine.diff_trees(sides.from.root_digest, sides.to.root_digest, offset / kBlockBytes,
                                 kBlocksPerPage, Deadline::after(kCallTime)));
    INVARIANT(leaves.leaf_bytes == kBlockBytes);
    for (const block::LeafChange& change : leaves.changes) {
        add_block(page, change.leaf);
    }
    if (leaves.next_leaf) {
        page.next = *leaves.next_leaf * kBlockBytes;
    }
    return ok();
}

Status DiskDiffs::compare_bytes(const Sides& sides, std::uint64_t offset, DiskDiff& page) {
    TRY_ASSIGN(const auto from, Side::open(parts_, work_added_, sides.from));
    TRY_ASSIGN(const auto to, Side::open(parts_, work_added_, sides.to));
    const std::uint64_t size = std::max(sides.from.size_bytes, sides.to.size_bytes);
    for (std::uint64_t read = 0; offset < size; offset += kBlockBytes) {
        TRY_ASSIGN(const std::uint64_t in_from, from->next_data(offset));
        TRY_ASSIGN(const std::uint64_t in_to, to->next_data(offset));
        const std::uint64_t next = std::min(in_from, in_to);
        if (next >= size) {
            return ok();
        }
        offset = next / kBlockBytes * kBlockBytes;
        if (read >= kBytesPerPage) {
            page.next = offset;
            return ok();
        }
        TRY_ASSIGN(const Bytes one, from->read(offset));
        TRY_ASSIGN(const Bytes other, to->read(offset));
        read += 2 * kBlockBytes;
        if (one != other) {
            add_block(page, offset / kBlockBytes);
        }
    }
    return ok();
}

}  // namespace kiln::control
