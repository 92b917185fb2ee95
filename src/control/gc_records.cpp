// SPDX-License-Identifier: Apache-2.0
#include "control/gc_records.h"

#include <fmt/format.h>

#include <vector>

#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr char kRequestedKey[] = "gc.requested";
constexpr char kCompletedKey[] = "gc.completed";
// "packs removed, bytes removed, packs kept, bytes kept, packs compacted, bytes copied, bytes
// needed" of the last run.
constexpr char kLastKey[] = "gc.last";
// "packs removed, bytes removed, packs compacted, bytes copied" of all runs.
constexpr char kTotalKey[] = "gc.total";

// So many numbers, 0 where there is none.
std::vector<std::uint64_t> numbers(const std::string& text, std::size_t count) {
    std::vector<std::uint64_t> found;
    for (const auto& part : split(text, ' ')) {
        found.push_back(parse_int<std::uint64_t>(part).value_or(0));
    }
    found.resize(count);
    return found;
}

Result<std::vector<std::uint64_t>> find(catalog::Transaction& tx, const char* key,
                                        std::size_t count) {
    TRY_ASSIGN(const auto text, tx.meta().find(key));
    return numbers(text.value_or(""), count);
}

}  // namespace

GcProgress GcProgress::parse(const std::string& payload) {
    const auto at = numbers(payload, 7);
    return {at[0], at[1], at[2], at[3], at[4], at[5], at[6]};
}

std::string GcProgress::text() const {
    return fmt::format("{} {} {} {} {} {} {}", epoch, packs_removed, bytes_removed, packs_compacted,
                       bytes_copied, bytes_live, more);
}

Result<std::uint64_t> gc_requested(catalog::Transaction& tx) {
    TRY_ASSIGN(const auto at, find(tx, kRequestedKey, 1));
    return at[0];
}

Status set_gc_requested(catalog::Transaction& tx, std::uint64_t run) {
    return tx.meta().set(kRequestedKey, std::to_string(run));
}

Result<std::uint64_t> gc_completed(catalog::Transaction& tx) {
    TRY_ASSIGN(const auto at, find(tx, kCompletedKey, 1));
    return at[0];
}

Result<GcReport> last_gc_report(catalog::Transaction& tx) {
    GcReport report;
    TRY_ASSIGN(report.completed, gc_completed(tx));
    TRY_ASSIGN(const auto at, find(tx, kLastKey, 7));
    report.packs_removed = at[0];
    report.bytes_removed = at[1];
    report.packs_kept = at[2];
    report.bytes_kept = at[3];
    report.packs_compacted = at[4];
    report.bytes_copied = at[5];
    report.bytes_live = at[6];
    return report;
}

Result<GcTotals> gc_totals(catalog::Transaction& tx) {
    GcTotals totals;
    TRY_ASSIGN(totals.last, last_gc_report(tx));
    TRY_ASSIGN(const auto at, find(tx, kTotalKey, 4));
    totals.runs = totals.last.completed;
    totals.packs_removed = at[0];
    totals.bytes_removed = at[1];
    totals.packs_compacted = at[2];
    totals.bytes_copied = at[3];
    return totals;
}

Status add_gc_run(catalog::Transaction& tx, const GcProgress& run, std::uint64_t packs_kept,
                  std::uint64_t bytes_kept) {
    TRY_ASSIGN(const GcTotals before, gc_totals(tx));
    TRY(tx.meta().set(
        kLastKey,
        fmt::format("{} {} {} {} {} {} {}", run.packs_removed, run.bytes_removed, packs_kept,
                    bytes_kept, run.packs_compacted, run.bytes_copied, run.bytes_live)));
    TRY(tx.meta().set(kTotalKey,
                      fmt::format("{} {} {} {}", before.packs_removed + run.packs_removed,
                                  before.bytes_removed + run.bytes_removed,
                                  before.packs_compacted + run.packs_compacted,
                                  before.bytes_copied + run.bytes_copied)));
    return tx.meta().set(kCompletedKey, std::to_string(before.runs + 1));
}

}  // namespace kiln::control
