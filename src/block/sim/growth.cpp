// SPDX-License-Identifier: Apache-2.0
// Volumes that grow while they are used: room in the layer, then the row, then the size. Changes go
// on all the time.
#include "block/sim/history.h"

namespace kiln::block::sim {
namespace {

constexpr std::uint64_t kMostBlocks = 480;  // that all geometries of trees take

}  // namespace

bool History::grow_volume() {
    const VolumeRef volume = pick(State::open);
    if (!volume || volume->cuts > 0 || volume->broken || volume->growing ||
        volume->size_bytes >= kMostBlocks * kBlockBytes) {
        return false;
    }
    const std::uint64_t room = kMostBlocks - volume->size_bytes / kBlockBytes;
    const std::uint64_t more = random_.between(1, std::min(room, random_.one_in(3) ? room : 24));
    const std::uint64_t size = volume->size_bytes + more * kBlockBytes;
    note("grow " + volume->id.str() + " to " + std::to_string(size) + " bytes");
    volume->growing = true;
    auto prepared = mine([this, volume, size](Status status) {
        note("room in " + volume->active.str() + ": " + outcome(status));
        if (!status) {
            volume->growing = false;
            judge("grow " + volume->id.str(), status.error());
            return;
        }
        catalog_.commit(
            [volume, size] {
                volume->size_bytes = size;
                volume->oracle->grow(size / kCellBytes);
            },
            mine([this, volume, size](Status) { grow_prepared(volume, size); }));
    });
    process_->call(
        process_->group.of(volume->id),
        [id = volume->id, size, prepared = std::move(prepared)](VolumeOwner& owner) mutable {
            owner.prepare_growth(id, size, std::move(prepared));
        });
    return true;
}

void History::grow_prepared(const VolumeRef& volume, std::uint64_t size_bytes) {
    volume->growing = false;
    if (volume->state != State::open) {
        return;  // the process is ending; the next opening has the new size
    }
    const Status grown = process_->group.of(volume->id).owner.grow(volume->id, size_bytes);
    note("grown " + volume->id.str() + ": " + outcome(grown));
    if (!grown) {
        fail("grow " + volume->id.str() + ": " + grown.error().to_string());
    }
    ++report_.counts["volumes grown"];
}

}  // namespace kiln::block::sim
