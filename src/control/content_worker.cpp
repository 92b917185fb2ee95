// SPDX-License-Identifier: Apache-2.0
#include "control/content_worker.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/cut_sets.h"
#include "control/gc.h"
#include "control/snapshot_usage.h"
#include "control/space.h"
#include "util/log.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr char kStore[] = "store";
constexpr char kRelease[] = "release";
// One call of the engine that moves no bytes.
constexpr std::chrono::seconds kCallTime{60};
// What a job waits for wakes it; these are only bounds.
constexpr std::chrono::seconds kLookAgain{60};
// A condemned pack is decided on within the time of one mark.
constexpr std::chrono::seconds kCondemnedWait{1};

Bytes to_bytes(const block::PackId& id) {
    return Bytes(id.bytes.begin(), id.bytes.end());
}

Result<bool> all_stored(catalog::Transaction& tx, const block::DestagedContent& made) {
    std::set<Bytes> wanted;
    for (const auto* packs : {&made.packs_written, &made.packs_hit}) {
        for (const block::PackId& pack : *packs) {
            wanted.insert(to_bytes(pack));
        }
    }
    TRY_ASSIGN(const auto rows, tx.packs().find_all({wanted.begin(), wanted.end()}));
    std::size_t good = 0;
    for (const model::PackRecord& row : rows) {
        good += row.state == model::PackState::stored ? 1 : 0;
    }
    return good == wanted.size();
}

using VolumeIds = std::set<model::VolumeId>;

Result<bool> is_base_of(catalog::Transaction& tx, const model::ContentId& id,
                        const VolumeIds& open) {
    catalog::VolumeQuery query;
    query.base_content = id;
    query.page.limit = 200;
    while (true) {
        TRY_ASSIGN(const auto volumes, tx.volumes().list(query));
        for (const model::Volume& volume : volumes) {
            if (open.contains(volume.id)) {
                return true;
            }
        }
        if (volumes.size() < query.page.limit) {
            return false;
        }
        query.page.after = catalog::Cursor{volumes.back().created, volumes.back().id.str()};
    }
}

// Whether one of these open volumes has the layer of this rooted content in its stack: it stands on
// it, or on contents that are not stored yet and stand on it.
Result<bool> is_read(catalog::Transaction& tx, const model::ContentId& id, const VolumeIds& open) {
    std::vector<model::ContentId> look{id};
    while (!look.empty()) {
        const model::ContentId next = std::move(look.back());
        look.pop_back();
        TRY_ASSIGN(const bool read, is_base_of(tx, next, open));
        if (read) {
            return true;
        }
        catalog::ContentQuery children;
        children.parent = next;
        TRY_ASSIGN(const auto contents, tx.contents().list(children));
        for (const model::Content& child : contents) {
            look.push_back(child.id);
        }
    }
    return false;
}

}  // namespace

Result<std::uint64_t> gc_epoch(catalog::Transaction& tx) {
    TRY_ASSIGN(const auto text, tx.meta().find(kGcEpochKey));
    if (!text) {
        return std::uint64_t{1};
    }
    const auto epoch = parse_int<std::uint64_t>(*text);
    if (!epoch) {
        return Error(Code::data_loss, "the epoch of garbage collection is '" + *text + "'");
    }
    return *epoch;
}

std::optional<std::uint64_t> leased_epoch(const model::Job& job) {
    // Whatever the clock says: a slow worker that nobody replaced may still commit.
    if (job.kind != kDestageJob || job.step != kStore || job.lease_owner.empty()) {
        return std::nullopt;
    }
    return parse_int<std::uint64_t>(job.payload);
}

void ContentWorker::install(JobRunner& runner) {
    runner.handle(
        kDestageJob, [this](const model::Job& job) { return destage(job); }, "destage");
    runner.handle(kDropLayerJob, [this](const model::Job& job) { return drop_layer(job); });
    merges_.install(runner);
}

void ContentWorker::stop() {
    merges_.stop();
    MutexLock lock(mutex_);
    stopping_ = true;
    while (storing_) {
        // Again and again: the engine may not have begun when it was told the first time.
        parts_.engine.cancel_destage();
        idle_.wait_until(lock, std::chrono::steady_clock::now() + std::chrono::milliseconds(50));
    }
}

Result<block::DestagedContent> ContentWorker::make_tree(const block::ContentId& id,
                                                        std::uint64_t epoch) {
    {
        MutexLock lock(mutex_);
        if (stopping_) {
            return Error(Code::cancelled, "the service stops");
        }
        storing_ = true;
    }
    auto made = parts_.engine.destage(id, epoch, Deadline::never());
    {
        MutexLock lock(mutex_);
        storing_ = false;
    }
    idle_.notify_all();
    return made;
}

void ContentWorker::volume_closed(const model::VolumeId& id) {
    const Status woken = parts_.store.run([&](catalog::Transaction& tx) -> Status {
        const UnixMillis now = parts_.clock.now();
        TRY(tx.jobs().wake_kinds({kDropLayerJob}, now));
        TRY_ASSIGN(const auto volume, tx.volumes().find(id));
        if (!volume || volume->base_content.empty()) {
            return ok();
        }
        // The rooted content it stood on may have no other reader.
        TRY_ASSIGN(const auto chain, content_chain(tx, volume->base_content));
        TRY(tx.jobs().wake(chain.back().id.str(), now));
        return ok();
    });
    if (!woken) {
        log_warn("contents", "waiting jobs are left to their time: " + woken.error().to_string());
    }
    work_added_();
}

Status ContentWorker::finish(const model::Job& job) {
    return parts_.store.run([&](catalog::Transaction& tx) { return tx.jobs().finish(job); });
}

Status ContentWorker::park(const model::Job& job, std::chrono::milliseconds wait) {
    return parts_.store.run([&](catalog::Transaction& tx) {
        return tx.jobs().park(job, UnixMillis{parts_.clock.now().value + wait.count()});
    });
}

Status ContentWorker::destage(const model::Job& job) {
    return job.step == kRelease ? release(job) : store(job);
}

// D1: in parent order, over the nearest ancestor that is rooted or named; layers of a cut that
// failed are sealed when their volume is opened the next time.
Result<bool> ContentWorker::may_be_stored(catalog::Transaction& tx, const model::ContentId& id) {
    TRY_ASSIGN(const auto chain, content_chain(tx, id));
    for (const model::Content& content : chain) {
        if (content.state == model::ContentState::rooted) {
            break;
        }
        TRY_ASSIGN(const bool named, is_named(tx, content.id));
        if (named && content.id != id) {
            return false;
        }
        TRY_ASSIGN(const model::LayerRecord layer, tx.layers().get(content.layer));
        if (layer.state != model::LayerState::sealed) {
            return false;
        }
    }
    return true;
}

Result<ContentWorker::Turn> ContentWorker::begin(catalog::Transaction& tx, model::Job& job) {
    const model::ContentId id(job.subject);
    TRY_ASSIGN(const auto content, tx.contents().find(id));
    if (!content) {
        return Turn::gone;
    }
    // Nobody reads it by itself any more; whatever stands on it merges it.
    TRY_ASSIGN(const bool named, is_named(tx, id));
    if (!named || content->state == model::ContentState::rooted) {
        return Turn::gone;
    }
    TRY_ASSIGN(const bool now, may_be_stored(tx, id));
    if (!now) {
        return Turn::waits;
    }
    TRY_ASSIGN(const std::uint64_t epoch, gc_epoch(tx));
    job.payload = std::to_string(epoch);
    TRY(tx.jobs().advance(job, UnixMillis{parts_.clock.now().value + kJobLeaseMs}));
    return Turn::ready;
}

Status ContentWorker::store(model::Job job) {
    TRY_ASSIGN(const Turn turn, parts_.store.run([&](catalog::Transaction& tx) -> Result<Turn> {
        job.step = kStore;
        return begin(tx, job);
    }));
    if (turn == Turn::gone) {
        return finish(job);
    }
    if (turn == Turn::waits) {
        return park(job, kLookAgain);
    }
    const block::ContentId id(job.subject);
    const std::uint64_t epoch = parse_int<std::uint64_t>(job.payload).value_or(0);
    const auto made = make_tree(id, epoch);
    if (!made && made.error().code() == Code::cancelled) {
        return park(job, std::chrono::milliseconds(0));
    }
    TRY(made);
    const auto allocated =
        count_allocated(parts_, model::ContentId(job.subject), made->root_digest);
    TRY_ASSIGN(const bool rooted, parts_.store.run([&](catalog::Transaction& tx) {
        model::Job& attempt = job;  // rewritten by each attempt of the transaction
        return commit_root(tx, attempt, *made, allocated);
    }));
    if (!rooted) {
        log_info("contents", job.subject + " leans on a condemned pack and is stored again");
        const Status parked = park(job, kCondemnedWait);
        const Status told = parts_.store.run(
            [&](catalog::Transaction& tx) { return wake_waiting_gc(tx, parts_.clock.now()); });
        work_added_();
        return parked ? told : parked;
    }
    work_added_();
    log_info("contents",
             fmt::format("{} is stored: {} chunks new, {} known, {} bytes written", job.subject,
                         made->chunks_written, made->chunks_hit, made->stored_bytes));
    return job.step == kRelease ? release(job) : ok();
}

// False when a pack was condemned. What was a chain of layers is one tree from here on.
Result<bool> ContentWorker::commit_root(catalog::Transaction& tx, model::Job& job,
                                        const block::DestagedContent& made,
                                        std::optional<std::uint64_t> allocated_bytes) {
    job.step = kStore;  // an attempt of the transaction that was rolled back may have changed it
    TRY_ASSIGN(const bool stored, all_stored(tx, made));
    if (!stored) {
        return false;
    }
    const UnixMillis now = parts_.clock.now();
    const model::ContentId id(job.subject);
    TRY_ASSIGN(auto content, tx.contents().find(id));
    TRY(wake_waiting_gc(tx, now));  // it may wait for this lease
    if (!content) {                 // deleted meanwhile
        TRY(tx.jobs().finish(job));
        return true;
    }
    // The one it stood on may have no reader any more.
    TRY_ASSIGN(const auto chain, content_chain(tx, id));
    if (chain.size() > 1) {
        TRY(tx.jobs().wake(chain.back().id.str(), now));
    }
    content->state = model::ContentState::rooted;
    content->root_digest = made.root_digest;
    // D4: whoever reads it has them open, and goes on so.
    content->spares.clear();
    for (std::size_t below = 1; below < chain.size(); ++below) {
        const auto layers = layers_of(chain[below]);
        content->spares.insert(content->spares.end(), layers.begin(), layers.end());
    }
    content->spares.resize(std::min(content->spares.size(), kMostSpares));
    const model::ContentId parent = std::exchange(content->parent, {});
    TRY(tx.contents().update(*content));
    if (allocated_bytes) {
        TRY(set_full_size(tx, id, *allocated_bytes));
    }
    TRY(release_content(tx, parts_, parent));
    catalog::ContentQuery children;
    children.parent = id;
    TRY_ASSIGN(const auto waiting, tx.contents().list(children));
    for (const model::Content& child : waiting) {
        TRY(tx.jobs().wake(child.id.str(), now));
    }
    TRY(complete_waiting_sets(tx, parts_));
    job.step = kRelease;
    job.payload.clear();
    TRY(tx.jobs().advance(job, UnixMillis{now.value + kJobLeaseMs}));
    return true;
}

Status ContentWorker::release(const model::Job& job) {
    const model::ContentId id(job.subject);
    const VolumeIds open = volumes_.open_volumes();
    bool read = false;
    TRY_ASSIGN(
        const auto content,
        parts_.store.read([&](catalog::Transaction& tx) -> Result<std::optional<model::Content>> {
            TRY_ASSIGN(read, is_read(tx, id, open));
            return tx.contents().find(id);
        }));
    if (!content) {
        return finish(job);
    }
    // Open volumes go over to the tree; layers that were merged fall out of their stacks.
    TRY(parts_.engine.content_rooted(block_id(id), Deadline::after(kCallTime)));
    TRY(wake_layer_drops());
    if (content->layer.empty()) {
        return finish(job);
    }
    // Its layers are the faster copy, for as long as somebody has it open, and there is space.
    if (read && check_space(parts_.space, SpaceFor::data, "a second copy")) {
        TRY(merges_.consider(*content));
        return park(job, kLookAgain);
    }
    return give_up_layers(job, *content);
}

Status ContentWorker::give_up_layers(const model::Job& job, const model::Content& content) {
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto row, tx.contents().find(content.id));
        if (!row || row->layer.empty()) {
            return ok();
        }
        const auto layers = layers_of(*row);
        row->layer = {};
        row->spares.clear();
        TRY(tx.contents().update(*row));
        return release_layers(tx, parts_, layers);
    }));
    // A volume that was opened just now holds the layer: out of its stack as well.
    TRY(parts_.engine.content_rooted(block_id(content.id), Deadline::after(kCallTime)));
    TRY(wake_layer_drops());
    return finish(job);
}

// A stack let go of layers; a job may have found them in use before.
Status ContentWorker::wake_layer_drops() {
    TRY(parts_.store.run([&](catalog::Transaction& tx) {
        return tx.jobs().wake_kinds({kDropLayerJob}, parts_.clock.now());
    }));
    work_added_();
    return ok();
}

Status ContentWorker::drop_layer(const model::Job& job) {
    const model::LayerId id(job.subject);
    const Status dropped = parts_.engine.drop_layer(block_id(id), Deadline::after(kCallTime));
    if (!dropped && dropped.error().code() == Code::failed_precondition) {
        return park(job, kLookAgain);  // in use: whoever closes it wakes us
    }
    TRY(dropped);
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto layer, tx.layers().find(id));
        if (layer) {
            TRY(tx.layers().erase(id));
        }
        return tx.jobs().finish(job);
    });
}

}  // namespace kiln::control
