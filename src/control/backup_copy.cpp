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

Result<bool> belongs_to_content(catalog::Transaction& tx, const model::LayerId& layer) {
    catalog::ContentQuery query;
    query.layer = layer;
    query.page.limit = 1;
    TRY_ASSIGN(const auto contents, tx.contents().list(query));
    return !contents.empty();
}

// Those that belong to neither are an import's, which the next start abandons.
Status settle_open(catalog::Transaction& tx) {
    catalog::LayerQuery unsealed;
    unsealed.states = {model::LayerState::planned, model::LayerState::open};
    TRY_ASSIGN(const auto layers, tx.layers().list(unsealed));
    for (model::LayerRecord layer : layers) {
        TRY_ASSIGN(const bool of_content, belongs_to_content(tx, layer.id));
        if (of_content) {
            return Error(Code::conflict, "a snapshot is being cut");
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
