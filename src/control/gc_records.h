// SPDX-License-Identifier: Apache-2.0
// What garbage collection writes down: what a run carries from step to step, and the reports of the
// last run and of all. Thread model: plain values; functions run within a transaction.
#pragma once

#include <cstdint>
#include <string>

#include "catalog/store.h"

namespace kiln::control {

struct GcReport {
    std::uint64_t run = 0;
    std::uint64_t completed = 0;  // the last run that is over
    bool over = false;            // `run` is
    // Of the last run that is over.
    std::uint64_t packs_removed = 0;
    std::uint64_t bytes_removed = 0;
    std::uint64_t packs_kept = 0;
    std::uint64_t bytes_kept = 0;
    std::uint64_t packs_compacted = 0;  // of those removed: emptied by copying
    std::uint64_t bytes_copied = 0;     // as they were written
    std::uint64_t bytes_live = 0;       // needed of all that was stored when it began
};

// Of all runs.
struct GcTotals {
    std::uint64_t runs = 0;
    std::uint64_t packs_removed = 0;
    std::uint64_t bytes_removed = 0;
    std::uint64_t packs_compacted = 0;
    std::uint64_t bytes_copied = 0;
    GcReport last;
};

struct GcProgress {
    std::uint64_t epoch = 0;  // of the leases it waits for
    std::uint64_t packs_removed = 0;
    std::uint64_t bytes_removed = 0;
    std::uint64_t packs_compacted = 0;
    std::uint64_t bytes_copied = 0;
    std::uint64_t bytes_live = 0;
    std::uint64_t more = 0;  // 1: packs are left that are to be compacted

    static GcProgress parse(const std::string& payload);
    std::string text() const;
};

// Runs are numbered; 0 before the first.
Result<std::uint64_t> gc_requested(catalog::Transaction& tx);
Status set_gc_requested(catalog::Transaction& tx, std::uint64_t run);
Result<std::uint64_t> gc_completed(catalog::Transaction& tx);
// `run` and `over` are the caller's.
Result<GcReport> last_gc_report(catalog::Transaction& tx);
Result<GcTotals> gc_totals(catalog::Transaction& tx);
// One more run is completed, which kept this.
Status add_gc_run(catalog::Transaction& tx, const GcProgress& run, std::uint64_t packs_kept,
                  std::uint64_t bytes_kept);

}  // namespace kiln::control
