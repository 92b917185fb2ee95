// SPDX-License-Identifier: Apache-2.0
#include "control/layer_merges.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "control/contents.h"
#include "control/space.h"
#include "util/log.h"

namespace kiln::control {
namespace {

constexpr char kMergeJob[] = "layers.merge";
// One call of the engine that moves no bytes.
constexpr std::chrono::seconds kCallTime{60};

}  // namespace

std::size_t layers_to_merge(std::span<const std::uint64_t> data_bytes) {
    if (data_bytes.size() <= kMostCopyLayers) {
        return 0;
    }
    std::size_t count = 1;
    std::uint64_t before = data_bytes.front();
    while (count < data_bytes.size() && (count < 2 || data_bytes[count] <= 2 * before)) {
        before += data_bytes[count++];
    }
    return count;
}

void LayerMerges::install(JobRunner& runner) {
    runner.handle(
        kMergeJob, [this](const model::Job& job) { return run(job); }, "merge");
}

Status LayerMerges::consider(const model::Content& content) {
    if (layers_of(content).size() <= kMostCopyLayers) {
        return ok();
    }
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        catalog::JobQuery queued;
        queued.kinds = {kMergeJob};
        queued.subject = content.id.str();
        TRY_ASSIGN(const auto there, tx.jobs().list(queued));
        return there.empty() ? tx.jobs().add(make_job(parts_.rng, parts_.clock.now(), kMergeJob,
                                                      content.id.str(), "merge"))
                             : ok();
    }));
    work_added_();
    return ok();
}

void LayerMerges::stop() {
    MutexLock lock(mutex_);
    stopping_ = true;
    while (merging_) {
        // Again and again: the engine may not have begun when it was told the first time.
        parts_.engine.cancel_destage();
        idle_.wait_until(lock, std::chrono::steady_clock::now() + std::chrono::milliseconds(50));
    }
}

Status LayerMerges::run(const model::Job& job) {
    const model::ContentId id(job.subject);
    TRY_ASSIGN(block::LayerMerge planned, plan(id));
    if (planned.layers.empty()) {
        return finish(job);
    }
    TRY_ASSIGN(const model::LayerId target, make_target(planned));
    planned.target = block_id(target);
    const Status merged = merge(planned);
    if (!merged) {
        TRY(forget(target));
        if (merged.error().code() == Code::cancelled) {
            return parts_.store.run(
                [&](catalog::Transaction& tx) { return tx.jobs().park(job, parts_.clock.now()); });
        }
        log_warn("contents", fmt::format("the layers of {} stay as they are: {}", id.str(),
                                         merged.error().to_string()));
        return finish(job);
    }
    TRY_ASSIGN(const auto changed, put_in_place(planned));
    for (const model::ContentId& content : changed) {
        // Open volumes go over to the new layer, and let go of the others.
        TRY(parts_.engine.content_rooted(block_id(content), Deadline::after(kCallTime)));
        log_info("contents",
                 fmt::format("{} layers of {} became one", planned.layers.size(), content.str()));
    }
    TRY(parts_.store.run([&](catalog::Transaction& tx) {
        return tx.jobs().wake_kinds({kDropLayerJob}, parts_.clock.now());
    }));
    return finish(job);
}

// No layers: nothing to do.
Result<block::LayerMerge> LayerMerges::plan(const model::ContentId& id) {
    block::LayerMerge merge;
    merge.writer = block::VolumeId(id.str());
    TRY(parts_.store.read([&](catalog::Transaction& tx) -> Status {
        merge.layers.clear();
        TRY_ASSIGN(const auto content, tx.contents().find(id));
        if (!content || content->state != model::ContentState::rooted) {
            return ok();
        }
        for (const model::LayerId& layer : layers_of(*content)) {
            TRY_ASSIGN(const model::LayerRecord row, tx.layers().get(layer));
            merge.layers.push_back({block_id(layer), row.size_bytes});
        }
        return ok();
    }));
    std::vector<std::uint64_t> data_bytes;
    for (const block::SpareLayer& layer : merge.layers) {
        TRY_ASSIGN(const auto facts,
                   parts_.engine.layer_facts(layer.id, Deadline::after(kCallTime)));
        data_bytes.push_back(facts.data_bytes);
    }
    const std::size_t count = layers_to_merge(data_bytes);
    const auto bytes = std::accumulate(
        data_bytes.begin(), data_bytes.begin() + static_cast<std::ptrdiff_t>(count), kLeastRoom);
    TRY_ASSIGN(const auto figures, parts_.space.measure());
    merge.layers.resize(bytes <= figures.room() ? count : 0);
    return merge;
}

Result<model::LayerId> LayerMerges::make_target(const block::LayerMerge& merge) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<model::LayerId> {
        model::LayerRecord row;
        row.id = model::make_id<model::LayerId>(parts_.rng);
        row.size_bytes = merge.layers.front().size_bytes;
        row.created = parts_.clock.now();
        TRY(tx.layers().insert(row));
        return row.id;
    });
}

Status LayerMerges::merge(const block::LayerMerge& merge) {
    {
        MutexLock lock(mutex_);
        if (stopping_) {
            return Error(Code::cancelled, "the service stops");
        }
        merging_ = true;
    }
    const Status merged = parts_.engine.merge_layers(merge, Deadline::never());
    {
        MutexLock lock(mutex_);
        merging_ = false;
    }
    idle_.notify_all();
    return merged;
}

Result<std::vector<model::ContentId>> LayerMerges::put_in_place(const block::LayerMerge& merge) {
    using Layers = std::vector<model::LayerId>;
    const model::LayerId target(merge.target.str());
    Layers merged;
    for (const block::SpareLayer& layer : merge.layers) {
        merged.emplace_back(layer.id.str());
    }
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<std::vector<model::ContentId>> {
        std::vector<model::ContentId> changed;
        TRY_ASSIGN(auto contents, contents_with(tx, merged.front()));
        for (model::Content& content : contents) {
            Layers layers = layers_of(content);
            const auto from =
                std::search(layers.begin(), layers.end(), merged.begin(), merged.end());
            if (content.state != model::ContentState::rooted || from == layers.end()) {
                continue;
            }
            const auto to = from + static_cast<std::ptrdiff_t>(merged.size());
            layers.insert(layers.erase(from, to), target);
            content.layer = layers.front();
            content.spares.assign(layers.begin() + 1, layers.end());
            TRY(tx.contents().update(content));
            changed.push_back(content.id);
        }
        if (changed.empty()) {
            TRY(queue_layer_drop(tx, parts_, target));
            return changed;
        }
        TRY_ASSIGN(model::LayerRecord row, tx.layers().get(target));
        row.state = model::LayerState::sealed;
        TRY(tx.layers().update(row));
        TRY(release_layers(tx, parts_, merged));
        return changed;
    });
}

Status LayerMerges::forget(const model::LayerId& target) {
    return parts_.store.run([&](catalog::Transaction& tx) { return tx.layers().erase(target); });
}

Status LayerMerges::finish(const model::Job& job) {
    TRY(parts_.store.run([&](catalog::Transaction& tx) { return tx.jobs().finish(job); }));
    work_added_();
    return ok();
}

}  // namespace kiln::control
