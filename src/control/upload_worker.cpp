// SPDX-License-Identifier: Apache-2.0
// SnapshotUploads: the volume that takes the blocks, and the job that follows.
#include <fmt/format.h>

#include "control/content_view.h"
#include "control/contents.h"
#include "control/cut_sets.h"
#include "control/snapshot_blocks.h"
#include "control/snapshot_uploads.h"
#include "control/upload_gate.h"

namespace kiln::control {
namespace {

constexpr std::chrono::seconds kCallTime{120};
constexpr std::int64_t kLookAgainMs = 500;

block::VolumeId volume_of(const model::SnapshotId& id) {
    return block::VolumeId("upload-" + id.str());
}

}  // namespace

void SnapshotUploads::install(JobRunner& runner) {
    runner.handle(kUploadJob, [this](const model::Job& job) { return turn(job); });
}

// The caller keeps others from doing the same.
Status SnapshotUploads::open(const Upload& upload) {
    const block::VolumeId name = volume_of(upload.snapshot.id);
    if (parts_.engine.is_open(name)) {
        return ok();
    }
    TRY_ASSIGN(model::LayerRecord layer, parts_.store.read([&](catalog::Transaction& tx) {
        return tx.layers().get(upload.content.layer);
    }));
    block::VolumeSpec spec;
    spec.id = name;
    spec.size_bytes = upload.content.size_bytes;
    spec.base = block_id(upload.content.parent);
    spec.active = block_id(layer.id);
    spec.create_active = layer.state == model::LayerState::planned;
    TRY(parts_.engine.open_volume(spec, Deadline::after(kCallTime)));
    if (layer.state != model::LayerState::planned) {
        return ok();
    }
    // From now on files that are missing are lost.
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::LayerRecord made, tx.layers().get(layer.id));
        made.state = model::LayerState::open;
        return tx.layers().update(made);
    });
}

Status SnapshotUploads::close(const model::SnapshotId& id) {
    const block::VolumeId name = volume_of(id);
    return parts_.engine.is_open(name)
               ? parts_.engine.close_volume(name, Deadline::after(kCallTime))
               : ok();
}

// A block whose writing was cut short: it is what was acknowledged before, if its bytes are; what
// was to be there in the place of that, if they are; else as if it had never been put.
Status SnapshotUploads::settle(const Upload& upload, const model::UploadedBlock& block) {
    const model::SnapshotId& id = upload.snapshot.id;
    TRY(open(upload));
    TRY_ASSIGN(const Bytes bytes, parts_.engine.read(volume_of(id), block.index * kApiBlockBytes,
                                                     static_cast<std::uint32_t>(kApiBlockBytes),
                                                     Deadline::after(kCallTime)));
    const crypto::Digest256 digest = crypto::sha256(bytes);
    const Bytes found(digest.begin(), digest.end());
    const bool whole = !block.digest.empty() && (found == block.digest || found == block.writing);
    if (!whole) {
        TRY(put_back(upload, block.index));
    }
    return parts_.store.run([&](catalog::Transaction& tx) {
        return whole ? tx.uploads().put(id, {block.index, found, {}})
                     : tx.uploads().erase_block(id, block.index);
    });
}

// The parent's bytes, or zeros.
Status SnapshotUploads::put_back(const Upload& upload, std::uint64_t index) {
    const block::VolumeId name = volume_of(upload.snapshot.id);
    const std::uint64_t offset = index * kApiBlockBytes;
    const Deadline deadline = Deadline::after(kCallTime);
    std::uint64_t below = 0;
    if (!upload.content.parent.empty()) {
        TRY_ASSIGN(const model::Content parent, parts_.store.read([&](catalog::Transaction& tx) {
            return tx.contents().get(upload.content.parent);
        }));
        below = parent.size_bytes;
    }
    if (offset >= below) {
        TRY(parts_.engine.zero(name, offset, kApiBlockBytes, deadline));
    } else {
        TRY_ASSIGN(const auto view,
                   ContentView::open(parts_, work_added_, upload.content.parent, "parent"));
        TRY_ASSIGN(const Bytes bytes,
                   parts_.engine.read(view->name(), offset,
                                      static_cast<std::uint32_t>(kApiBlockBytes), deadline));
        TRY(parts_.engine.write(name, offset, bytes, deadline));
    }
    return parts_.engine.flush(name, deadline);
}

Status SnapshotUploads::turn(const model::Job& job) {
    const model::SnapshotId id(job.subject);
    std::optional<model::Snapshot> snapshot;
    std::optional<model::BlockUpload> row;
    Upload upload;
    TRY(parts_.store.read([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(snapshot, tx.snapshots().find(id));
        TRY_ASSIGN(row, tx.uploads().find(id));
        if (snapshot && row && !snapshot->content.empty()) {
            TRY_ASSIGN(const model::Content content, tx.contents().get(snapshot->content));
            upload = {*snapshot, *row, content};
        }
        return ok();
    }));
    if (!snapshot || !row) {
        forget(id);
        return parts_.store.run([&](catalog::Transaction& tx) { return tx.jobs().finish(job); });
    }
    if (snapshot->state == model::SnapshotState::deleted) {
        return clear(job, *snapshot);
    }
    return row->completing ? seal(job, upload) : expire(job, upload);
}

Status SnapshotUploads::seal(const model::Job& job, const Upload& upload) {
    const model::SnapshotId& id = upload.snapshot.id;
    const auto gate = gate_of(id);
    const Gate::Alone alone(*gate);
    TRY_ASSIGN(const model::LayerRecord layer, parts_.store.read([&](catalog::Transaction& tx) {
        return tx.layers().get(upload.content.layer);
    }));
    if (layer.state == model::LayerState::planned) {  // nothing was put
        TRY(open(upload));
    }
    if (layer.state != model::LayerState::sealed) {
        TRY(parts_.engine.is_open(volume_of(id))
                ? parts_.engine.seal_volume(volume_of(id), Deadline::after(kCallTime))
                : parts_.engine.seal_layer(block_id(layer.id), layer.size_bytes,
                                           Deadline::after(kCallTime)));
    }
    TRY(parts_.store.run([&](catalog::Transaction& tx) { return finish(tx, job, upload); }));
    forget(id);
    work_added_();
    return ok();
}

// The layer is sealed: the snapshot is completed, unless too much below it is not stored (D8).
Status SnapshotUploads::finish(catalog::Transaction& tx, const model::Job& job,
                               const Upload& upload) {
    TRY_ASSIGN(auto snapshot, tx.snapshots().find(upload.snapshot.id));
    if (!snapshot || snapshot->state != model::SnapshotState::pending) {
        return tx.jobs().park(job, parts_.clock.now());  // deleted meanwhile
    }
    TRY_ASSIGN(const model::Content content, tx.contents().get(snapshot->content));
    if (content.state == model::ContentState::layered) {
        TRY(mark_sealed(tx, parts_, content.layer));
        TRY(queue_destage(tx, parts_, content.id));
    }
    TRY_ASSIGN(const std::size_t layers, layers_to_destage(tx, content.id));
    if (layers > parts_.settings.max_undestaged_layers) {
        return tx.jobs().park(job, UnixMillis{parts_.clock.now().value + kLookAgainMs});
    }
    TRY_ASSIGN(snapshot->state,
               model::next(snapshot->state, model::SnapshotEvent::complete, snapshot->id));
    snapshot->progress_percent = 100;
    snapshot->completed = parts_.clock.now();
    TRY(tx.snapshots().update(*snapshot));
    TRY(tx.uploads().erase(snapshot->id));
    return tx.jobs().finish(job);
}

// ED-5.
Status SnapshotUploads::expire(const model::Job& job, const Upload& upload) {
    const model::SnapshotId& id = upload.snapshot.id;
    const auto gate = gate_of(id);
    const Gate::Alone alone(*gate);
    TRY_ASSIGN(const auto row,
               parts_.store.read([&](catalog::Transaction& tx) { return tx.uploads().find(id); }));
    const bool goes_on =
        !row || row->completing || row->active.value + row->timeout_ms > parts_.clock.now().value;
    if (goes_on) {
        const UnixMillis then = row && !row->completing
                                    ? UnixMillis{row->active.value + row->timeout_ms}
                                    : parts_.clock.now();
        return parts_.store.run(
            [&](catalog::Transaction& tx) { return tx.jobs().park(job, then); });
    }
    TRY(close(id));
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto snapshot, tx.snapshots().find(id));
        if (!snapshot || snapshot->state != model::SnapshotState::pending) {
            return tx.jobs().park(job, parts_.clock.now());  // deleted meanwhile
        }
        TRY_ASSIGN(snapshot->state,
                   model::next(snapshot->state, model::SnapshotEvent::fail, snapshot->id));
        snapshot->state_message =
            fmt::format("Nothing was put for {} minutes, and the snapshot was not completed.",
                        row->timeout_ms / 60'000);
        const model::ContentId content = std::exchange(snapshot->content, {});
        TRY(tx.snapshots().update(*snapshot));
        TRY(tx.uploads().erase(id));
        TRY(release_content(tx, parts_, content));
        return tx.jobs().finish(job);
    }));
    forget(id);
    work_added_();
    return ok();
}

// SNP-22: it was deleted while it was pending.
Status SnapshotUploads::clear(const model::Job& job, const model::Snapshot& snapshot) {
    const auto gate = gate_of(snapshot.id);
    const Gate::Alone alone(*gate);
    TRY(close(snapshot.id));
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.uploads().erase(snapshot.id));
        TRY(tx.snapshots().erase(snapshot.id));
        TRY(tx.tags().erase_resource(snapshot.id.str()));
        TRY(release_content(tx, parts_, snapshot.content));
        return tx.jobs().finish(job);
    }));
    forget(snapshot.id);
    work_added_();
    return ok();
}

}  // namespace kiln::control
