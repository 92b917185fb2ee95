// SPDX-License-Identifier: Apache-2.0
#include "control/content_store.h"

#include "model/content.h"

namespace kiln::control {
namespace {

// A chain this long cannot come about (D8 bounds it to 200); a longer one is a cycle in a damaged
// catalog.
constexpr std::size_t kMaxChain = 4096;

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
        std::vector<block::ContentRecord> chain;
        model::ContentId next(id.str());
        while (!next.empty()) {
            if (chain.size() >= kMaxChain) {
                return Error(Code::data_loss,
                             "the parents of content " + id.str() + " form a cycle");
            }
            TRY_ASSIGN(const model::Content content, tx.contents().get(next));
            chain.push_back(to_record(content));
            if (content.state == model::ContentState::rooted) {
                break;
            }
            next = content.parent;
        }
        return chain;
    });
}

}  // namespace kiln::control
