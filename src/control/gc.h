// SPDX-License-Identifier: Apache-2.0
// Gc: takes back the packs of the image tier that no content reaches any more (D3). One durable
// job, which runs by itself at the period of the settings and whenever somebody asks.
//
//   idle      wait for the next run
//   condemn   mark from all roots; copy what was reached of packs that are mostly dead into new
//             ones and condemn them (Compaction); then, in one transaction, a new epoch, and what
//             was not reached is condemned: it serves no deduplication from here on
//   confirm   wait until no destage job has a lease of the epoch before or an older one; only then
//             read the roots again and mark again. What is reached was hit before it was condemned,
//             and is stored again; the rest, and packs whose writer is gone, lose their index
//             entries and are trash
//   sweep     after a grace for reads under way the objects go, and then the rows
//
// Every step may be repeated; a kill at any point leaves at most condemned packs and copies, which
// the next run decides on.
//
// Thread-safe, blocking. Runs are numbered: request() gives the number of the first run that begins
// after it, wait() blocks until that one is over.
#pragma once

#include <functional>
#include <string>

#include "control/compaction.h"
#include "control/gc_records.h"
#include "control/job_runner.h"
#include "control/parts.h"
#include "util/deadline.h"
#include "util/mutex.h"

namespace kiln::control {

inline constexpr char kGcJob[] = "gc.run";
inline constexpr char kGcSubject[] = "gc";
inline constexpr char kGcEpochKey[] = "gc.epoch";

class Gc {
  public:
    // `work_added` is called after a transaction that queued or woke a job.
    Gc(const Parts& parts, std::function<void()> work_added)
        : parts_(parts), work_added_(std::move(work_added)), compaction_(parts) {}

    // Registers the handler.
    void install(JobRunner& runner);
    // Queues the job if this store has none. At start.
    Status ensure_job();

    Result<std::uint64_t> request();
    // `over` is false when the deadline came first.
    Result<GcReport> wait(std::uint64_t run, Deadline deadline) EXCLUDES(mutex_);
    Result<GcTotals> totals();
    // Ends a run that copies, which begins again at the next start. Before the runner stops.
    void stop() { compaction_.stop(); }

  private:
    Status run(const model::Job& job);
    Status step(const model::Job& job);
    Status condemn(model::Job job);
    Status condemn_unreached(catalog::Transaction& tx, const block::PackUses& reached);
    Status confirm(model::Job job);
    Result<bool> leases_are_over(std::uint64_t epoch);
    Status pardon(catalog::Transaction& tx, const block::PackUses& reached,
                  std::vector<Bytes>& dead);
    Status collect_abandoned(catalog::Transaction& tx, std::uint64_t epoch,
                             std::vector<Bytes>& dead);
    Status sweep(model::Job job);
    Status complete(const model::Job& job);
    Result<block::PackUses> mark();
    Status park(const model::Job& job, UnixMillis until);
    Status advance(catalog::Transaction& tx, const model::Job& job);

    const Parts parts_;
    const std::function<void()> work_added_;
    Compaction compaction_;
    Mutex mutex_;
    CondVar over_;
    std::uint64_t seen_ GUARDED_BY(mutex_) = 0;  // runs completed since this object was made
};

// In the transaction that ends a lease: a run that waits for it goes on.
Status wake_waiting_gc(catalog::Transaction& tx, UnixMillis now);

}  // namespace kiln::control
