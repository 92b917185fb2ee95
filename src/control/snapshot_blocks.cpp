// SPDX-License-Identifier: Apache-2.0
#include "control/snapshot_blocks.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/block_walk.h"
#include "control/data_runs.h"
#include "control/ebs_errors.h"
#include "control/snapshot_access.h"

namespace kiln::control {
namespace {

constexpr std::int64_t kLeastResults = 100;  // ED-8: less is taken as this
constexpr std::int64_t kMostResults = 10'000;
// Read of both sides together, for one page of changes between what is not stored.
constexpr std::uint64_t kBytesPerPage = 128U << 20;
constexpr std::chrono::seconds kCallTime{120};
constexpr std::chrono::seconds kClosing{1};

std::string pair_of(const model::SnapshotId& first, const model::SnapshotId& second) {
    return first.str() + "/" + second.str();
}

}  // namespace

SnapshotBlocks::SnapshotBlocks(const Parts& parts, BlockTokens tokens,
                               std::function<void()> work_added)
    : parts_(parts),
      tokens_(std::move(tokens)),
      views_(parts, std::move(work_added)),
      closing_(kClosing, [this] { views_.close_idle(); }) {}

Result<SnapshotBlocks::Source> SnapshotBlocks::find(catalog::Transaction& tx, const Caller& caller,
                                                    const model::SnapshotId& id) {
    Source source;
    auto snapshot = find_granted_snapshot(tx, caller, id);
    if (!snapshot) {
        return ebs_errors::of_snapshot(std::move(snapshot).error(), id);
    }
    source.snapshot = std::move(*snapshot);
    TRY_ASSIGN(source.content, tx.contents().get(source.snapshot.content));
    return source;
}

Result<SnapshotBlocks::Start> SnapshotBlocks::begin(BlockTokens::Kind kind, const Caller& caller,
                                                    std::string_view subject,
                                                    const BlockPageRequest& request) const {
    const std::int64_t most = request.max_results.value_or(kMostResults);
    if (most < 1 || most > kMostResults) {
        return ebs_errors::invalid_parameter(
            fmt::format("MaxResults is {}; it is {} to {}.", most, kLeastResults, kMostResults));
    }
    const std::int64_t first = request.starting_index.value_or(0);
    if (first < 0) {
        return ebs_errors::invalid_parameter(
            fmt::format("StartingBlockIndex is {}; the first block is 0.", first));
    }
    Start start{static_cast<std::uint64_t>(first),
                static_cast<std::size_t>(std::max(most, kLeastResults))};
    if (!request.page_token.empty()) {
        const auto index = tokens_.open(kind, caller, subject, request.page_token);
        if (!index) {
            return ebs_errors::invalid("INVALID_PAGE_TOKEN",
                                       "The page token is not valid, or not for this request, or "
                                       "its time is over.");
        }
        start.index = *index;
    }
    return start;
}

Error SnapshotBlocks::explain(const Caller& caller, const model::SnapshotId& id, Error error) {
    const auto there =
        parts_.store.read([&](catalog::Transaction& tx) { return find(tx, caller, id); });
    return there ? std::move(error) : there.error();
}

Result<BlockPage<ListedBlock>> SnapshotBlocks::list(const Caller& caller,
                                                    const model::SnapshotId& id,
                                                    const BlockPageRequest& request) {
    TRY_ASSIGN(const Source source,
               parts_.store.read([&](catalog::Transaction& tx) { return find(tx, caller, id); }));
    TRY_ASSIGN(const Start start, begin(BlockTokens::Kind::blocks_page, caller, id.str(), request));
    auto view = views_.get(source.content.id);
    if (!view) {
        return explain(caller, id, std::move(view).error());
    }
    BlockPage<ListedBlock> page;
    page.volume_size_gib = source.snapshot.volume_size_gib;
    page.expires = tokens_.end_of(BlockTokens::Kind::block);
    BlockWalk walk(parts_.engine, (*view)->name(), source.content.size_bytes);
    for (std::uint64_t index = start.index;; ++index) {
        const auto found = walk.next(index);
        if (!found) {
            return explain(caller, id, found.error());
        }
        if (*found == BlockWalk::kNone) {
            return page;
        }
        index = *found;
        if (page.blocks.size() == start.limit) {
            page.next_token = tokens_.issue(BlockTokens::Kind::blocks_page, caller, id.str(), index,
                                            tokens_.end_of(BlockTokens::Kind::blocks_page));
            return page;
        }
        page.blocks.push_back({index, tokens_.issue(BlockTokens::Kind::block, caller, id.str(),
                                                    index, page.expires)});
    }
}

Result<SnapshotBlocks::Changes> SnapshotBlocks::compare_trees(const Source& first,
                                                              const Source& second,
                                                              const Start& start) {
    TRY_ASSIGN(const block::LeafPage leaves,
               parts_.engine.diff_trees(first.content.root_digest, second.content.root_digest,
                                        start.index, start.limit, Deadline::after(kCallTime)));
    INVARIANT(leaves.leaf_bytes == kApiBlockBytes);
    Changes changes;
    for (const block::LeafChange& change : leaves.changes) {
        changes.blocks.push_back({change.leaf, change.in_a, change.in_b});
    }
    changes.next = leaves.next_leaf;
    return changes;
}

// What is not stored is read wherever either has data, a bounded part of it for one page.
Result<SnapshotBlocks::Changes> SnapshotBlocks::compare_bytes(const Source& first,
                                                              const Source& second,
                                                              const Start& start) {
    TRY_ASSIGN(const auto first_view, views_.get(first.content.id));
    TRY_ASSIGN(const auto second_view, views_.get(second.content.id));
    BlockWalk a(parts_.engine, first_view->name(), first.content.size_bytes);
    BlockWalk b(parts_.engine, second_view->name(), second.content.size_bytes);
    Changes changes;
    std::uint64_t read = 0;
    for (std::uint64_t index = start.index;; ++index) {
        TRY_ASSIGN(const std::uint64_t in_a, a.next(index));
        TRY_ASSIGN(const std::uint64_t in_b, b.next(index));
        index = std::min(in_a, in_b);
        if (index == BlockWalk::kNone) {
            return changes;
        }
        if (read >= kBytesPerPage || changes.blocks.size() == start.limit) {
            changes.next = index;
            return changes;
        }
        TRY_ASSIGN(const Bytes one, a.read(index));
        TRY_ASSIGN(const Bytes other, b.read(index));
        read += 2 * kApiBlockBytes;
        if (one != other) {
            changes.blocks.push_back({index, !all_zero(one), !all_zero(other)});
        }
    }
}

Result<BlockPage<ChangedBlock>> SnapshotBlocks::list_changed(const Caller& caller,
                                                             const model::SnapshotId& first_id,
                                                             const model::SnapshotId& second_id,
                                                             const BlockPageRequest& request) {
    Source first;
    Source second;
    TRY(parts_.store.read([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(first, find(tx, caller, first_id));
        TRY_ASSIGN(second, find(tx, caller, second_id));
        return ok();
    }));
    if (model::lineage_of(first.snapshot) != model::lineage_of(second.snapshot)) {
        return ebs_errors::invalid("UNRELATED_SNAPSHOTS",
                                   fmt::format("The snapshots '{}' and '{}' are not of one volume "
                                               "and what was made of it.",
                                               first_id.str(), second_id.str()));
    }
    const std::string subject = pair_of(first_id, second_id);
    TRY_ASSIGN(const Start start, begin(BlockTokens::Kind::changes_page, caller, subject, request));
    const bool stored = first.content.state == model::ContentState::rooted &&
                        second.content.state == model::ContentState::rooted;
    Result<Changes> changes = Changes();
    if (first.content.id != second.content.id) {
        changes =
            stored ? compare_trees(first, second, start) : compare_bytes(first, second, start);
    }
    if (!changes) {
        return explain(caller, first_id, explain(caller, second_id, std::move(changes).error()));
    }
    BlockPage<ChangedBlock> page;
    page.volume_size_gib = second.snapshot.volume_size_gib;
    page.expires = tokens_.end_of(BlockTokens::Kind::block);
    const auto token = [&](bool has, const model::SnapshotId& id, std::uint64_t index) {
        return has ? tokens_.issue(BlockTokens::Kind::block, caller, id.str(), index, page.expires)
                   : std::string();
    };
    for (const Change& change : changes->blocks) {
        page.blocks.push_back({change.index, token(change.in_first, first_id, change.index),
                               token(change.in_second, second_id, change.index)});
    }
    if (changes->next) {
        page.next_token =
            tokens_.issue(BlockTokens::Kind::changes_page, caller, subject, *changes->next,
                          tokens_.end_of(BlockTokens::Kind::changes_page));
    }
    return page;
}

Result<SnapshotBlock> SnapshotBlocks::get(const Caller& caller, const model::SnapshotId& id,
                                          std::int64_t index, const std::string& token) {
    TRY_ASSIGN(const Source source,
               parts_.store.read([&](catalog::Transaction& tx) { return find(tx, caller, id); }));
    if (index < 0 || static_cast<std::uint64_t>(index) >= source.blocks()) {
        return ebs_errors::invalid("INVALID_BLOCK",
                                   fmt::format("The snapshot '{}' has {} blocks; there is no {}.",
                                               id.str(), source.blocks(), index));
    }
    const auto named = tokens_.open(BlockTokens::Kind::block, caller, id.str(), token);
    if (named != static_cast<std::uint64_t>(index)) {
        return ebs_errors::invalid("INVALID_BLOCK_TOKEN",
                                   "The block token is not valid, or for another block, or its "
                                   "time is over.");
    }
    auto view = views_.get(source.content.id);
    if (!view) {
        return explain(caller, id, std::move(view).error());
    }
    SnapshotBlock block;
    BlockWalk walk(parts_.engine, (*view)->name(), source.content.size_bytes);
    auto bytes = walk.read(*named);
    if (!bytes) {
        return explain(caller, id, std::move(bytes).error());
    }
    block.bytes = std::move(*bytes);
    block.digest = crypto::sha256(block.bytes);
    return block;
}

}  // namespace kiln::control
