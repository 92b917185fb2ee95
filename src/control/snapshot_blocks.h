// SPDX-License-Identifier: Apache-2.0
// SnapshotBlocks: a snapshot's blocks of 512 KiB, listed and read one by one (ED-8 .. ED-11), and
// those in which two snapshots of a lineage differ. A snapshot can be read as soon as it is
// completed, stored or not; a page costs what it lists, whatever the size of the disk. Nothing is
// kept between the calls but what tokens say (block_tokens.h).
//
// Whoever may make a volume of a snapshot may read it. Errors: ebs_errors.h. A snapshot that is
// deleted meanwhile ends in SNAPSHOT_NOT_FOUND, never in wrong bytes. Thread-safe, blocking.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/block_tokens.h"
#include "control/caller.h"
#include "control/parts.h"
#include "control/periodic.h"
#include "control/shared_views.h"
#include "crypto/hash.h"
#include "model/content.h"
#include "model/snapshot.h"

namespace kiln::control {

inline constexpr std::uint64_t kApiBlockBytes = 512U << 10;
inline constexpr std::uint64_t kApiBlocksPerGiB = kGiB / kApiBlockBytes;

struct BlockPageRequest {
    std::optional<std::int64_t> max_results;
    std::string page_token;
    std::optional<std::int64_t> starting_index;  // the token wins
};

struct ListedBlock {
    std::uint64_t index = 0;
    std::string token;
};
struct ChangedBlock {
    std::uint64_t index = 0;
    std::string first_token;  // empty: the first snapshot has no such block
    std::string second_token;
};
template <class T>
struct BlockPage {
    std::vector<T> blocks;  // ascending
    UnixMillis expires;     // of the blocks' tokens
    std::uint32_t volume_size_gib = 0;
    std::string next_token;  // empty: the last page
};
struct SnapshotBlock {
    Bytes bytes;
    crypto::Digest256 digest;
};

class SnapshotBlocks {
  public:
    // `work_added` is called when jobs that waited for a read's end may go on. start() begins what
    // closes idle views; until then they stay.
    SnapshotBlocks(const Parts& parts, BlockTokens tokens, std::function<void()> work_added);
    void start() { closing_.start(); }

    Result<BlockPage<ListedBlock>> list(const Caller& caller, const model::SnapshotId& id,
                                        const BlockPageRequest& request);
    // What is in `second` and not, or otherwise, in `first`, and the reverse.
    Result<BlockPage<ChangedBlock>> list_changed(const Caller& caller,
                                                 const model::SnapshotId& first,
                                                 const model::SnapshotId& second,
                                                 const BlockPageRequest& request);
    Result<SnapshotBlock> get(const Caller& caller, const model::SnapshotId& id, std::int64_t index,
                              const std::string& token);

  private:
    struct Source {
        model::Snapshot snapshot;
        model::Content content;
        std::uint64_t blocks() const {
            return std::uint64_t{snapshot.volume_size_gib} * kApiBlocksPerGiB;
        }
    };
    struct Start {
        std::uint64_t index = 0;
        std::size_t limit = 0;
    };
    struct Change {
        std::uint64_t index = 0;
        bool in_first = false;
        bool in_second = false;
    };
    struct Changes {
        std::vector<Change> blocks;
        std::optional<std::uint64_t> next;
    };

    static Result<Source> find(catalog::Transaction& tx, const Caller& caller,
                               const model::SnapshotId& id);
    Result<Start> begin(BlockTokens::Kind kind, const Caller& caller, std::string_view subject,
                        const BlockPageRequest& request) const;
    Result<Changes> compare_trees(const Source& first, const Source& second, const Start& start);
    Result<Changes> compare_bytes(const Source& first, const Source& second, const Start& start);
    // An error of a read: whether the snapshot went meanwhile.
    Error explain(const Caller& caller, const model::SnapshotId& id, Error error);

    const Parts parts_;
    const BlockTokens tokens_;
    SharedViews views_;
    Periodic closing_;
};

}  // namespace kiln::control
