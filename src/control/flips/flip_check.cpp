// SPDX-License-Identifier: Apache-2.0
// FlipStore, second part: reading everything.
#include <algorithm>

#include "control/flips/flip_store.h"
#include "util/check.h"

namespace kiln::control::flips {
namespace {

Deadline soon() {
    return Deadline::after(std::chrono::seconds(60));
}

}  // namespace

FlipStore::Outcome FlipStore::check() {
    Outcome outcome;
    if (!engine_) {
        open();
    }
    if (!engine_) {
        refused("the catalog", Error(Code::data_loss, "it cannot be opened"), outcome);
        return outcome;
    }
    for (const auto& [id, expected] : snapshots_) {
        check_snapshot(id, expected, outcome);
    }
    check_volume(outcome);
    return outcome;
}

void FlipStore::refused(const std::string& who, const Error& error, Outcome& outcome) {
    if (!outcome.detected) {
        outcome.message = who + ": " + error.to_string();
    }
    outcome.detected = true;
}

void FlipStore::compare(const std::string& who, const Result<Bytes>& got, const Bytes& expected,
                        Outcome& outcome) {
    if (!got) {
        refused(who, got.error(), outcome);
    } else if (*got != expected) {
        const auto at = std::ranges::mismatch(*got, expected).in1 - got->begin();
        outcome.wrong = who + " reads a wrong byte at " + std::to_string(at);
    }
}

void FlipStore::check_snapshot(const model::SnapshotId& id, const Bytes& expected,
                               Outcome& outcome) {
    const auto snapshot =
        store_->read([&](catalog::Transaction& tx) { return tx.snapshots().get(id); });
    if (!snapshot) {
        refused(id.str(), snapshot.error(), outcome);
        return;
    }
    const block::VolumeId view("look");
    const Status opened = engine_->open_content(view, block_id(snapshot->content), soon());
    if (!opened) {
        refused(id.str(), opened.error(), outcome);
        return;
    }
    compare(id.str(), engine_->read(view, 0, kStoreBytes, soon()), expected, outcome);
    const Status closed = engine_->close_volume(view, soon());
    if (!closed) {
        refused(id.str(), closed.error(), outcome);
    }
}

void FlipStore::check_volume(Outcome& outcome) {
    const auto volume =
        store_->read([&](catalog::Transaction& tx) { return tx.volumes().get(volume_); });
    if (!volume) {
        refused(volume_.str(), volume.error(), outcome);
        return;
    }
    const block::VolumeId name = block_id(volume->id);
    const Status opened = engine_->open_volume(
        {name, kStoreBytes, block_id(volume->base_content), block_id(volume->active_layer), false},
        soon());
    if (!opened) {
        refused(volume_.str(), opened.error(), outcome);
        return;
    }
    compare(volume_.str(), engine_->read(name, 0, kStoreBytes, soon()), bytes_, outcome);
    const Status closed = engine_->close_volume(name, soon());
    if (!closed) {
        refused(volume_.str(), closed.error(), outcome);
    }
}

}  // namespace kiln::control::flips
