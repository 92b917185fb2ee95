// SPDX-License-Identifier: Apache-2.0
#include "block/geometry.h"

#include "block/limits.h"

namespace kiln::block {

Status Geometry::check() const {
    const auto whole = [](std::uint64_t value, std::uint64_t unit) {
        return value > 0 && value % unit == 0;
    };
    if (!whole(shard_bytes, kBlockBytes) || shard_bytes > 16ULL << 40) {
        return Error(Code::invalid_argument, "a shard is a multiple of 4096 bytes, at most 16 TiB");
    }
    if (!whole(page_blocks, 64) || page_blocks > 1U << 24) {
        return Error(Code::invalid_argument, "a presence page has a multiple of 64 blocks");
    }
    if (directory_pages == 0 || directory_pages > kMaxDirectoryPages) {
        return Error(Code::invalid_argument, "a directory of the map has 1 to 65536 pages");
    }
    if (checkpoint_bytes < 128) {
        // What a checkpoint leaves in the journal must not ask for the next one.
        return Error(Code::invalid_argument, "a checkpoint is worth at least 128 bytes of journal");
    }
    if (!whole(journal_bytes, 512) || journal_bytes > 1ULL << 30 ||
        journal_bytes < kMinJournalRing) {
        return Error(Code::invalid_argument,
                     "a journal has a multiple of 512 bytes, 2 KiB to 1 GiB");
    }
    if (!whole(journal_first_bytes, 512) || journal_first_bytes < kMinJournalRing) {
        return Error(Code::invalid_argument,
                     "the journal's first ring has a multiple of 512 bytes, at least 2 KiB");
    }
    return ok();
}

}  // namespace kiln::block
