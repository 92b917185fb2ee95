// SPDX-License-Identifier: Apache-2.0
#include "block/sim/world.h"

namespace kiln::block::sim {

void SimCatalog::chain(const ContentId& id, ChainDone done) {
    std::vector<ContentRecord> records;
    for (ContentId next = id; !next.empty();) {
        const auto found = contents.find(next);
        INVARIANT(found != contents.end());
        records.push_back(found->second.record);
        next = found->second.record.parent;
    }
    scheduler_->after(std::chrono::microseconds(random_.below(500)),
                      [done = std::move(done), records = std::move(records)] { done(records); });
}

bool SimCatalog::names(const LayerId& layer) const {
    for (const auto& [id, volume] : volumes) {
        if (volume->active == layer || (volume->cut && volume->cut->successor == layer)) {
            return true;
        }
    }
    for (const auto& [id, content] : contents) {
        if (content.record.layer == layer) {
            return true;
        }
    }
    return false;
}

bool SimCatalog::in_use(const ContentId& id) const {
    for (const auto& [volume_id, volume] : volumes) {
        if (volume->base == id) {
            return true;
        }
    }
    for (const auto& [content_id, content] : contents) {
        if (content.record.parent == id) {
            return true;
        }
    }
    return false;
}

void complete_cut(SimCatalog& catalog, const std::shared_ptr<SimVolume>& volume) {
    INVARIANT(volume->cut);
    Cut cut = *std::move(volume->cut);
    volume->cut.reset();
    ContentRecord record;
    record.id = cut.content;
    record.parent = volume->base;
    record.layer = volume->active;
    record.size_bytes = volume->size_bytes;
    catalog.contents[cut.content] = SimContent{record, cut.values};
    if (cut.successor.empty()) {
        volume->deleted = true;
        catalog.volumes.erase(volume->id);
        return;
    }
    volume->base = cut.content;
    volume->active = cut.successor;
    volume->oracle = Oracle(cut.values);
    volume->after_loss = false;
}

}  // namespace kiln::block::sim
