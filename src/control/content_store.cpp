// SPDX-License-Identifier: Apache-2.0
#include "control/content_store.h"

#include "control/contents.h"

namespace kiln::control {
namespace {

block::ContentRecord to_record(const model::Content& content) {
    block::ContentRecord record;
    record.id = block::ContentId(content.id.str());
    record.state = content.state == model::ContentState::rooted ? block::ContentState::rooted
                                                                : block::ContentState::layered;
    record.parent = block::ContentId(content.parent.str());
    record.layer = block::LayerId(content.layer.str());
    record.root_digest = content.root_digest;
    record.key_id = content.key_id;
    record.size_bytes = content.size_bytes;
    return record;
}

Status add_spares(catalog::Transaction& tx, const model::Content& content,
                  block::ContentRecord& record) {
    for (const model::LayerId& id : content.spares) {
        TRY_ASSIGN(const auto layer, tx.layers().find(id));
        if (!layer) {
            return ok();  // what is below it does not count without it
        }
        record.spares.push_back({block::LayerId(id.str()), layer->size_bytes});
    }
    return ok();
}

}  // namespace

void CatalogContents::chain(const block::ContentId& id, ChainDone done) {
    // Shared, because the executor may refuse the task and the answer must be given all the same.
    auto answer = std::make_shared<ChainDone>(std::move(done));
    Status queued = executor_.submit([this, id, answer] { (*answer)(read_chain(id)); });
    if (!queued) {
        (*answer)(std::move(queued).error());
    }
}

Result<std::vector<block::ContentRecord>> CatalogContents::read_chain(const block::ContentId& id) {
    return store_.read([&](catalog::Transaction& tx) -> Result<std::vector<block::ContentRecord>> {
        TRY_ASSIGN(const auto contents, content_chain(tx, model::ContentId(id.str())));
        std::vector<block::ContentRecord> chain;
        for (const model::Content& content : contents) {
            chain.push_back(to_record(content));
            TRY(add_spares(tx, content, chain.back()));
        }
        return chain;
    });
}

}  // namespace kiln::control
