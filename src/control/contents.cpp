// SPDX-License-Identifier: Apache-2.0
#include "control/contents.h"

#include <algorithm>

#include "control/job_runner.h"

namespace kiln::control {
namespace {

// Destage keeps chains far shorter (D8); a longer one is a cycle in a damaged catalog.
constexpr std::size_t kMaxChain = 4096;

template <class Repository, class Query>
Result<bool> any(Repository repository, Query query) {
    query.page.limit = 1;
    TRY_ASSIGN(const auto found, repository.list(query));
    return !found.empty();
}

}  // namespace

Result<std::vector<model::Content>> content_chain(catalog::Transaction& tx,
                                                  const model::ContentId& id) {
    std::vector<model::Content> chain;
    model::ContentId next = id;
    while (!next.empty()) {
        if (chain.size() >= kMaxChain) {
            return Error(Code::data_loss, "the parents of content " + id.str() + " form a cycle");
        }
        TRY_ASSIGN(model::Content content, tx.contents().get(next));
        next = content.state == model::ContentState::rooted ? model::ContentId() : content.parent;
        chain.push_back(std::move(content));
    }
    return chain;
}

Result<bool> is_named(catalog::Transaction& tx, const model::ContentId& id) {
    catalog::SnapshotQuery snapshots;
    snapshots.content = id;
    TRY_ASSIGN(const bool by_snapshot, any(tx.snapshots(), snapshots));
    if (by_snapshot) {
        return true;
    }
    catalog::VolumeQuery volumes;
    volumes.base_content = id;
    return any(tx.volumes(), volumes);
}

Status release_content(catalog::Transaction& tx, const Parts& parts, model::ContentId id) {
    for (std::size_t n = 0; !id.empty() && n < kMaxChain; ++n) {
        TRY_ASSIGN(const auto content, tx.contents().find(id));
        if (!content) {
            return ok();
        }
        TRY_ASSIGN(const bool named, is_named(tx, id));
        catalog::ContentQuery children;
        children.parent = id;
        TRY_ASSIGN(const bool parent, any(tx.contents(), children));
        if (named || parent) {
            return ok();
        }
        TRY(tx.contents().erase(id));
        TRY(release_layers(tx, parts, layers_of(*content)));
        id = content->parent;
    }
    return ok();
}

Status queue_destage(catalog::Transaction& tx, const Parts& parts, const model::ContentId& id) {
    catalog::JobQuery queued;
    queued.kinds = {kDestageJob};
    queued.subject = id.str();
    TRY_ASSIGN(const bool there, any(tx.jobs(), queued));
    return there ? ok()
                 : tx.jobs().add(
                       make_job(parts.rng, parts.clock.now(), kDestageJob, id.str(), "store"));
}

Result<std::vector<model::Content>> contents_with(catalog::Transaction& tx,
                                                  const model::LayerId& layer) {
    catalog::ContentQuery own;
    own.layer = layer;
    catalog::ContentQuery spare;
    spare.spare = layer;
    TRY_ASSIGN(auto contents, tx.contents().list(own));
    TRY_ASSIGN(auto others, tx.contents().list(spare));
    std::ranges::move(others, std::back_inserter(contents));
    return contents;
}

Status release_layers(catalog::Transaction& tx, const Parts& parts,
                      const std::vector<model::LayerId>& ids) {
    for (const model::LayerId& id : ids) {
        TRY_ASSIGN(const auto holders, contents_with(tx, id));
        if (holders.empty()) {
            TRY(queue_layer_drop(tx, parts, id));
        }
    }
    return ok();
}

std::vector<model::LayerId> layers_of(const model::Content& content) {
    std::vector<model::LayerId> layers;
    if (!content.layer.empty()) {
        layers.push_back(content.layer);
        layers.insert(layers.end(), content.spares.begin(), content.spares.end());
    }
    return layers;
}

Status queue_layer_drop(catalog::Transaction& tx, const Parts& parts, const model::LayerId& id) {
    TRY_ASSIGN(model::LayerRecord layer, tx.layers().get(id));
    if (layer.state == model::LayerState::dropping) {
        return ok();
    }
    layer.state = model::LayerState::dropping;
    TRY(tx.layers().update(layer));
    return tx.jobs().add(make_job(parts.rng, parts.clock.now(), kDropLayerJob, id.str(), "unlink"));
}

Status mark_sealed(catalog::Transaction& tx, const Parts& parts, const model::LayerId& id) {
    TRY_ASSIGN(model::LayerRecord layer, tx.layers().get(id));
    layer.state = model::LayerState::sealed;
    TRY(tx.layers().update(layer));
    catalog::ContentQuery holder;
    holder.layer = id;
    TRY_ASSIGN(const auto contents, tx.contents().list(holder));
    for (const model::Content& content : contents) {
        TRY(tx.jobs().wake(content.id.str(), parts.clock.now()));
    }
    return ok();
}

}  // namespace kiln::control
