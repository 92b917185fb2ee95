// SPDX-License-Identifier: Apache-2.0
// CatalogChunkIndex: the engine's chunk index in the catalog (D29). Each call becomes a transaction
// on an executor and completes on the engine's owner thread, never inside the call.
//
// Errors: unavailable when the executor has no room, failed_precondition for entries of a pack that
// garbage collection gave up, else those of the catalog. Thread model: one owner thread, the
// engine's. The destructor waits for transactions under way; their completions do not run any more.
// `store`, `executor`, `clock` and `scheduler` outlive it.
#pragma once

#include "block/image/chunk_index.h"
#include "catalog/store.h"
#include "io/clock.h"
#include "io/scheduler.h"
#include "util/executor.h"
#include "util/mutex.h"

namespace kiln::control {

class CatalogChunkIndex final : public block::ChunkIndex {
  public:
    CatalogChunkIndex(catalog::Store& store, Executor& executor, io::Clock& clock,
                      io::Scheduler& scheduler)
        : store_(store), executor_(executor), clock_(clock), scheduler_(scheduler) {}
    ~CatalogChunkIndex() override;

    void lookup(const block::DomainId& domain, std::vector<block::ChunkId> ids,
                block::LookupFor purpose, io::Callback<Result<block::Located>> done) override;
    void begin_pack(const block::PackHeader& pack, block::Done done) override;
    void insert(const block::PackHeader& pack, std::uint64_t pack_bytes,
                std::vector<block::PackEntry> entries, block::Done done) override;
    void remove(const block::PackId& pack, block::Done done) override;

  private:
    // Runs `work` on the executor and hands what it gives to `done` on the owner thread.
    template <class T, class Work>
    void answer(Work work, io::Callback<Result<T>> done);
    void begin_task() EXCLUDES(mutex_);
    void end_task() EXCLUDES(mutex_);

    catalog::Store& store_;
    Executor& executor_;
    io::Clock& clock_;
    io::Scheduler& scheduler_;
    Mutex mutex_;
    CondVar idle_;
    std::size_t tasks_ GUARDED_BY(mutex_) = 0;
};

// The rows of a pack and of its entries, as its header and footer say them.
model::PackRecord pack_record(const block::PackHeader& header, std::uint64_t bytes, UnixMillis now);
model::ChunkEntry chunk_entry(const block::PackEntry& entry);

}  // namespace kiln::control
