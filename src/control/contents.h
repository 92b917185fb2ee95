// SPDX-License-Identifier: Apache-2.0
// Contents within a transaction: who names them, and what goes when nobody does (D1). A content is
// named by a snapshot's row, by a volume that stands on it, or by a child content. A layer belongs
// to a content or, as the active one, to a volume.
//
// One owner thread: the one that runs the transaction.
#pragma once

#include <vector>

#include "catalog/store.h"
#include "control/parts.h"
#include "model/content.h"

namespace kiln::control {

inline constexpr char kDestageJob[] = "content.destage";
inline constexpr char kDropLayerJob[] = "layer.drop";

// From the content down through its parents to the first rooted one, that one included, or to the
// one without parent. not_found when one is missing.
Result<std::vector<model::Content>> content_chain(catalog::Transaction& tx,
                                                  const model::ContentId& id);
// By a snapshot or a volume; children do not count.
Result<bool> is_named(catalog::Transaction& tx, const model::ContentId& id);
// After a name was taken from it: when nothing names the content any more its row goes and its
// layer is queued for dropping, and so on down its parents. Nothing for an empty id.
Status release_content(catalog::Transaction& tx, const Parts& parts, model::ContentId id);

// The content is to become rooted.
Status queue_destage(catalog::Transaction& tx, const Parts& parts, const model::ContentId& id);
// The last name of a layer was given up.
Status queue_layer_drop(catalog::Transaction& tx, const Parts& parts, const model::LayerId& id);
// Sealed layers that a content gave up: those that no other has are queued for dropping.
Status release_layers(catalog::Transaction& tx, const Parts& parts,
                      const std::vector<model::LayerId>& ids);
// Contents whose own layer it is, or one of whose spares.
Result<std::vector<model::Content>> contents_with(catalog::Transaction& tx,
                                                  const model::LayerId& layer);
// The content's own layer, then its spares.
std::vector<model::LayerId> layers_of(const model::Content& content);
// The layer's files are sealed: contents that waited for it can be stored.
Status mark_sealed(catalog::Transaction& tx, const Parts& parts, const model::LayerId& id);

}  // namespace kiln::control
