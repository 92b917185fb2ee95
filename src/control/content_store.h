// SPDX-License-Identifier: Apache-2.0
// CatalogContents: tells the block engine which layers and roots a content is made of (D29), by
// asking the catalog on an executor, so that a reactor never waits for SQL. Thread-safe. Outlives
// the engine; `store` and `executor` outlive it.
#pragma once

#include "block/content_store.h"
#include "catalog/store.h"
#include "util/executor.h"

namespace kiln::control {

class CatalogContents final : public block::ContentStore {
  public:
    CatalogContents(catalog::Store& store, Executor& executor)
        : store_(store), executor_(executor) {}
    void chain(const block::ContentId& id, ChainDone done) override;

  private:
    Result<std::vector<block::ContentRecord>> read_chain(const block::ContentId& id);

    catalog::Store& store_;
    Executor& executor_;
};

}  // namespace kiln::control
