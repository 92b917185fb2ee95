// SPDX-License-Identifier: Apache-2.0
#include "control/backup_copy.h"

namespace kiln::control {
namespace {

Result<bool> belongs_to_volume(catalog::Transaction& tx, const model::LayerId& layer) {
    catalog::VolumeQuery query;
    query.active_layer = layer;
    query.page.limit = 1;
    TRY_ASSIGN(const auto volumes, tx.volumes().list(query));
    return !volumes.empty();
}

Result<std::optional<model::Content>> content_of(catalog::Transaction& tx,
                                                 const model::LayerId& layer) {
    catalog::ContentQuery query;
    query.layer = layer;
    query.page.limit = 1;
    TRY_ASSIGN(const auto contents, tx.contents().list(query));
    return contents.empty() ? std::nullopt : std::optional(contents.front());
}

// An upload (snapshot_uploads.h) whose blocks are not in the copy: there it is one of which nothing
// was put, and its time ends it. False when the content is no upload's.
Result<bool> empty_upload(catalog::Transaction& tx, const model::Content& content,
                          model::LayerRecord layer) {
    catalog::SnapshotQuery query;
    query.content = content.id;
    query.page.limit = 1;
    TRY_ASSIGN(const auto snapshots, tx.snapshots().list(query));
    if (snapshots.empty()) {
        return false;
    }
    TRY_ASSIGN(auto upload, tx.uploads().find(snapshots.front().id));
    if (!upload) {
        return false;
    }
    upload->completing = false;
    TRY(tx.uploads().erase(upload->snapshot));
    TRY(tx.uploads().insert(*upload));
    layer.state = model::LayerState::planned;
    TRY(tx.layers().update(layer));
    return true;
}

// Those that belong to neither are an import's, which the next start abandons.
Status settle_open(catalog::Transaction& tx) {
    catalog::LayerQuery unsealed;
    unsealed.states = {model::LayerState::planned, model::LayerState::open};
    TRY_ASSIGN(const auto layers, tx.layers().list(unsealed));
    for (model::LayerRecord layer : layers) {
        TRY_ASSIGN(const auto content, content_of(tx, layer.id));
        if (content) {
            TRY_ASSIGN(const bool uploaded, empty_upload(tx, *content, layer));
            if (!uploaded) {
                return Error(Code::conflict, "a snapshot is being cut");
            }
            continue;
        }
        TRY_ASSIGN(const bool of_volume, belongs_to_volume(tx, layer.id));
        if (of_volume && layer.state == model::LayerState::open) {
            layer.state = model::LayerState::planned;
            TRY(tx.layers().update(layer));
        }
    }
    return ok();
}

}  // namespace

Result<std::set<model::LayerId>> sealed_layers(catalog::Store& store) {
    return store.read([](catalog::Transaction& tx) -> Result<std::set<model::LayerId>> {
        catalog::LayerQuery sealed;
        sealed.states = {model::LayerState::sealed};
        TRY_ASSIGN(const auto layers, tx.layers().list(sealed));
        std::set<model::LayerId> ids;
        for (const model::LayerRecord& layer : layers) {
            ids.insert(layer.id);
        }
        return ids;
    });
}

Status settle_copy(catalog::Store& copy) {
    return copy.run(settle_open);
}

}  // namespace kiln::control
