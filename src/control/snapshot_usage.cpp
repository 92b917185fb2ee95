// SPDX-License-Identifier: Apache-2.0
#include "control/snapshot_usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/contents.h"
#include "util/log.h"

namespace kiln::control {
namespace {

constexpr std::chrono::seconds kMeasureTime{120};
constexpr std::size_t kDiffPage = 50'000;
constexpr std::size_t kRows = 500;

// Something of the account that names a content.
struct Holder {
    model::ContentId content;
    bool same_volume = false;
    std::int64_t apart_ms = 0;
};

template <class Repository, class Query, class Each>
Status each_row(Repository repository, Query query, Each each) {
    query.page.limit = kRows;
    while (true) {
        TRY_ASSIGN(const auto rows, repository.list(query));
        for (const auto& row : rows) {
            TRY(each(row));
        }
        if (rows.size() < kRows) {
            return ok();
        }
        query.page.after = catalog::Cursor{rows.back().created, rows.back().id.str()};
    }
}

// Those that are likely to share the most first: of the same volume, and near in time.
Result<std::vector<Holder>> holders(catalog::Transaction& tx, const model::Snapshot& of) {
    std::vector<Holder> found;
    const auto add = [&](const model::ContentId& content, bool same_volume,
                         UnixMillis created) -> Status {
        if (found.size() == kMostUsageOthers) {
            return Error(Code::resource_exhausted,
                         fmt::format("it is not counted for accounts with more than {} other "
                                     "snapshots and volumes",
                                     kMostUsageOthers));
        }
        if (!content.empty()) {
            found.push_back({content, same_volume, std::abs(created.value - of.created.value)});
        }
        return ok();
    };
    catalog::SnapshotQuery snapshots;
    snapshots.owners = {of.owner_id};
    TRY(each_row(tx.snapshots(), snapshots, [&](const model::Snapshot& other) {
        return other.id == of.id
                   ? ok()
                   : add(other.content, other.volume_id == of.volume_id, other.created);
    }));
    catalog::VolumeQuery volumes;
    volumes.owners = {of.owner_id};
    TRY(each_row(tx.volumes(), volumes, [&](const model::Volume& other) {
        return add(other.base_content, other.id == of.volume_id, other.created);
    }));
    std::ranges::stable_sort(found, [](const Holder& one, const Holder& other) {
        return std::pair(!one.same_volume, one.apart_ms) <
               std::pair(!other.same_volume, other.apart_ms);
    });
    return found;
}

// What is not stored yet counts with the tree that it stands on.
Result<std::vector<std::string>> roots_of(catalog::Transaction& tx,
                                          const std::vector<Holder>& holders) {
    std::set<std::string> seen;
    std::vector<std::string> roots;
    for (const Holder& holder : holders) {
        TRY_ASSIGN(const auto chain, content_chain(tx, holder.content));
        const std::string& root = chain.back().root_digest;
        if (!root.empty() && seen.insert(root).second) {
            roots.push_back(root);
        }
    }
    return roots;
}

// `base` may be null.
Result<std::uint64_t> allocated_bytes(const Parts& parts, const std::string& root,
                                      const model::Content* base) {
    std::optional<std::uint64_t> known;
    if (base != nullptr) {
        catalog::SnapshotQuery query;
        query.content = base->id;
        TRY_ASSIGN(const auto snapshots, parts.store.read([&](catalog::Transaction& tx) {
            return tx.snapshots().list(query);
        }));
        for (const model::Snapshot& snapshot : snapshots) {
            known = known ? known : snapshot.full_size_bytes;
        }
    }
    if (!known) {
        TRY_ASSIGN(const block::TreeUsage tree,
                   parts.engine.measure_tree(root, {}, Deadline::after(kMeasureTime)));
        return tree.allocated_leaves * tree.leaf_bytes;
    }
    std::uint64_t bytes = *known;
    std::optional<std::uint64_t> from = 0;
    while (from) {
        TRY_ASSIGN(const block::LeafPage page,
                   parts.engine.diff_trees(base->root_digest, root, *from, kDiffPage,
                                           Deadline::after(kMeasureTime)));
        for (const block::LeafChange& change : page.changes) {
            bytes += change.in_b && !change.in_a ? page.leaf_bytes : 0;
            bytes -= change.in_a && !change.in_b ? page.leaf_bytes : 0;
        }
        from = page.next_leaf;
    }
    return bytes;
}

}  // namespace

Result<SnapshotUsage> usage_of(const Parts& parts, const model::Snapshot& snapshot) {
    struct Roots {
        std::uint64_t size_bytes = 0;
        std::string own;
        std::vector<std::string> others;
    };
    TRY_ASSIGN(const Roots roots, parts.store.read([&](catalog::Transaction& tx) -> Result<Roots> {
        TRY_ASSIGN(const auto content, tx.contents().find(snapshot.content));
        if (!content || content->state != model::ContentState::rooted) {
            return Error(Code::failed_precondition, "it is not stored yet");
        }
        TRY_ASSIGN(const auto others, holders(tx, snapshot));
        TRY_ASSIGN(auto others_roots, roots_of(tx, others));
        return Roots{content->size_bytes, content->root_digest, std::move(others_roots)};
    }));
    TRY_ASSIGN(const block::TreeUsage tree,
               parts.engine.measure_tree(roots.own, roots.others, Deadline::after(kMeasureTime)));
    SnapshotUsage usage;
    usage.logical_bytes = roots.size_bytes;
    usage.full_bytes = tree.allocated_leaves * tree.leaf_bytes;
    usage.unique_bytes = tree.unique_leaves * tree.leaf_bytes;
    usage.shared_bytes = usage.full_bytes - usage.unique_bytes;
    return usage;
}

std::optional<std::uint64_t> count_allocated(const Parts& parts, const model::ContentId& content,
                                             const std::string& root) {
    const auto chain =
        parts.store.read([&](catalog::Transaction& tx) { return content_chain(tx, content); });
    if (!chain) {
        return std::nullopt;  // deleted meanwhile
    }
    const model::Content& last = chain->back();
    const auto bytes =
        allocated_bytes(parts, root, last.state == model::ContentState::rooted ? &last : nullptr);
    if (!bytes) {
        log_warn("contents", "the full size of " + content.str() +
                                 " is not known: " + bytes.error().to_string());
        return std::nullopt;
    }
    return *bytes;
}

Status set_full_size(catalog::Transaction& tx, const model::ContentId& content,
                     std::uint64_t bytes) {
    catalog::SnapshotQuery query;
    query.content = content;
    TRY_ASSIGN(const auto snapshots, tx.snapshots().list(query));
    for (model::Snapshot snapshot : snapshots) {
        snapshot.full_size_bytes = bytes;
        TRY(tx.snapshots().update(snapshot));
    }
    return ok();
}

}  // namespace kiln::control
