// SPDX-License-Identifier: Apache-2.0
#include "control/gc.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/content_worker.h"
#include "util/log.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

using model::PackState;

constexpr char kIdle[] = "idle";
constexpr char kCondemn[] = "condemn";
constexpr char kConfirm[] = "confirm";
constexpr char kSweep[] = "sweep";

constexpr std::size_t kPage = 1000;
// A mark reads every node that is reached, some 0.7 GiB for a TiB.
constexpr std::chrono::hours kMarkTime{6};
constexpr std::chrono::seconds kRemoveTime{60};
// A job that ends its lease wakes us; this is only a bound.
constexpr std::int64_t kLeasePollMs = 5'000;

block::PackId to_pack(const Bytes& id) {
    return block::PackId::from(id);
}

// All packs of one state, page by page.
template <class F>
Status each_pack(catalog::Transaction& tx, PackState state, F pack) {
    std::int64_t after = 0;
    while (true) {
        TRY_ASSIGN(const auto page, tx.packs().list(state, after, kPage));
        for (const catalog::PackRow& row : page) {
            TRY(pack(row.pack));
        }
        if (page.size() < kPage) {
            return ok();
        }
        after = page.back().number;
    }
}

// The oldest epoch under which a destage job writes and hits packs right now.
Result<std::optional<std::uint64_t>> oldest_lease(catalog::Transaction& tx) {
    catalog::JobQuery query;
    query.kinds = {kDestageJob};
    TRY_ASSIGN(const auto jobs, tx.jobs().list(query));
    std::optional<std::uint64_t> oldest;
    for (const model::Job& job : jobs) {
        if (const auto epoch = leased_epoch(job)) {
            oldest = std::min(oldest.value_or(*epoch), *epoch);
        }
    }
    return oldest;
}

}  // namespace

Status wake_waiting_gc(catalog::Transaction& tx, UnixMillis now) {
    catalog::JobQuery query;
    query.kinds = {kGcJob};
    TRY_ASSIGN(const auto jobs, tx.jobs().list(query));
    for (const model::Job& job : jobs) {
        if (job.step == kConfirm) {
            TRY(tx.jobs().wake(job.subject, now));
        }
    }
    return ok();
}

void Gc::install(JobRunner& runner) {
    runner.handle(
        kGcJob, [this](const model::Job& job) { return run(job); }, kGcSubject);
}

Status Gc::ensure_job() {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        catalog::JobQuery query;
        query.kinds = {kGcJob};
        TRY_ASSIGN(const auto jobs, tx.jobs().list(query));
        if (!jobs.empty()) {
            return ok();
        }
        const UnixMillis now = parts_.clock.now();
        model::Job job = make_job(parts_.rng, now, kGcJob, kGcSubject, kIdle);
        job.not_before = UnixMillis{now.value + parts_.settings.gc_period.count()};
        return tx.jobs().add(job);
    });
}

Result<std::uint64_t> Gc::request() {
    TRY_ASSIGN(const std::uint64_t run,
               parts_.store.run([&](catalog::Transaction& tx) -> Result<std::uint64_t> {
                   catalog::JobQuery query;
                   query.kinds = {kGcJob};
                   TRY_ASSIGN(const auto jobs, tx.jobs().list(query));
                   const bool idle = !jobs.empty() && jobs.front().step == kIdle;
                   TRY_ASSIGN(const std::uint64_t completed, gc_completed(tx));
                   TRY_ASSIGN(const std::uint64_t requested, gc_requested(tx));
                   // One that is under way may have read the roots already.
                   const std::uint64_t run = completed + (idle ? 1 : 2);
                   TRY(set_gc_requested(tx, std::max(requested, run)));
                   TRY(tx.jobs().wake(kGcSubject, parts_.clock.now()));
                   return run;
               }));
    compaction_.hurry();
    work_added_();
    return run;
}

Result<GcReport> Gc::wait(std::uint64_t run, Deadline deadline) {
    while (true) {
        std::uint64_t seen = 0;
        {
            MutexLock lock(mutex_);
            seen = seen_;
        }
        TRY_ASSIGN(const GcReport report,
                   parts_.store.read([&](catalog::Transaction& tx) -> Result<GcReport> {
                       TRY_ASSIGN(GcReport now, last_gc_report(tx));
                       now.run = run;
                       now.over = now.completed >= run;
                       return now;
                   }));
        if (report.over || deadline.passed()) {
            return report;
        }
        MutexLock lock(mutex_);
        while (seen_ == seen && !deadline.passed()) {
            over_.wait_until(lock, Deadline::clock::now() + deadline.left());
        }
    }
}

Result<GcTotals> Gc::totals() {
    return parts_.store.read([](catalog::Transaction& tx) { return gc_totals(tx); });
}

Status Gc::run(const model::Job& job) {
    Status done = step(job);
    if (!done && done.error().code() == Code::cancelled) {
        return park(job, parts_.clock.now());  // the next service goes on
    }
    return done;
}

Status Gc::step(const model::Job& job) {
    if (job.step == kConfirm) {
        return confirm(job);
    }
    if (job.step == kSweep) {
        return sweep(job);
    }
    return condemn(job);
}

Status Gc::park(const model::Job& job, UnixMillis until) {
    return parts_.store.run([&](catalog::Transaction& tx) { return tx.jobs().park(job, until); });
}

Status Gc::advance(catalog::Transaction& tx, const model::Job& job) {
    return tx.jobs().advance(job, UnixMillis{parts_.clock.now().value + kJobLeaseMs});
}

// Every rooted content is a root, whoever names it: its row is there as long as anybody does.
Result<block::PackUses> Gc::mark() {
    TRY_ASSIGN(const auto roots,
               parts_.store.read([](catalog::Transaction& tx) -> Result<std::vector<std::string>> {
                   catalog::ContentQuery rooted;
                   rooted.states = {model::ContentState::rooted};
                   TRY_ASSIGN(const auto contents, tx.contents().list(rooted));
                   std::set<std::string> digests;
                   for (const model::Content& content : contents) {
                       digests.insert(content.root_digest);
                   }
                   return std::vector<std::string>(digests.begin(), digests.end());
               }));
    return parts_.engine.mark(roots, Deadline::after(kMarkTime));
}

Status Gc::condemn(model::Job job) {
    // From here on a request means another run.
    TRY(parts_.store.run([&](catalog::Transaction& tx) {
        job.step = kCondemn;
        return advance(tx, job);
    }));
    TRY_ASSIGN(block::PackUses reached, mark());
    TRY_ASSIGN(const auto lease,
               parts_.store.read([](catalog::Transaction& tx) { return oldest_lease(tx); }));
    TRY_ASSIGN(const Compacted compacted, compaction_.run(reached, lease));
    for (const block::PackId& copy : compacted.written) {
        reached.try_emplace(copy);
    }
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const std::uint64_t epoch, gc_epoch(tx));
        TRY(tx.meta().set(kGcEpochKey, std::to_string(epoch + 1)));
        TRY(condemn_unreached(tx, reached));
        job.step = kConfirm;
        job.payload = GcProgress{.epoch = epoch,
                                 .packs_compacted = compacted.packs,
                                 .bytes_copied = compacted.bytes_written,
                                 .bytes_live = compacted.live_bytes,
                                 .more = compacted.more ? 1U : 0U}
                          .text();
        return advance(tx, job);
    }));
    return confirm(std::move(job));
}

Status Gc::condemn_unreached(catalog::Transaction& tx, const block::PackUses& reached) {
    // What a job under way has just written is not reached yet, and condemning it would only make
    // that job begin again.
    TRY_ASSIGN(const auto lease, oldest_lease(tx));
    std::vector<Bytes> condemned;
    TRY(each_pack(tx, PackState::stored, [&](const model::PackRecord& pack) -> Status {
        if (!reached.contains(to_pack(pack.id)) && (!lease || pack.epoch < *lease)) {
            condemned.push_back(pack.id);
        }
        return ok();
    }));
    return tx.packs().set_state(condemned, PackState::condemned);
}

Result<bool> Gc::leases_are_over(std::uint64_t epoch) {
    TRY_ASSIGN(const auto oldest,
               parts_.store.read([](catalog::Transaction& tx) { return oldest_lease(tx); }));
    return !oldest || *oldest > epoch;
}

Status Gc::confirm(model::Job job) {
    GcProgress progress = GcProgress::parse(job.payload);
    TRY_ASSIGN(const bool alone, leases_are_over(progress.epoch));
    if (!alone) {
        return park(job, UnixMillis{parts_.clock.now().value + kLeasePollMs});
    }
    TRY_ASSIGN(const block::PackUses reached, mark());
    std::vector<Bytes> dead;
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        dead.clear();
        TRY(pardon(tx, reached, dead));
        return collect_abandoned(tx, progress.epoch, dead);
    }));
    // Each pack in a transaction of its own: entries are many, and nothing can revive it.
    for (const Bytes& id : dead) {
        TRY(parts_.store.run(
            [&](catalog::Transaction& tx) { return tx.packs().trash(id, parts_.clock.now()); }));
    }
    TRY(parts_.store.run([&](catalog::Transaction& tx) {
        job.step = kSweep;
        return advance(tx, job);
    }));
    return sweep(std::move(job));
}

// Condemned packs that the second mark reaches are stored again.
Status Gc::pardon(catalog::Transaction& tx, const block::PackUses& reached,
                  std::vector<Bytes>& dead) {
    std::vector<Bytes> pardoned;
    TRY(each_pack(tx, PackState::condemned, [&](const model::PackRecord& pack) -> Status {
        (reached.contains(to_pack(pack.id)) ? pardoned : dead).push_back(pack.id);
        return ok();
    }));
    return tx.packs().set_state(pardoned, PackState::stored);
}

// Packs that were begun under a lease that is over: nobody will store them.
Status Gc::collect_abandoned(catalog::Transaction& tx, std::uint64_t epoch,
                             std::vector<Bytes>& dead) {
    return each_pack(tx, PackState::writing, [&](const model::PackRecord& pack) -> Status {
        if (pack.epoch <= epoch) {
            dead.push_back(pack.id);
        }
        return ok();
    });
}

Status Gc::sweep(model::Job job) {
    GcProgress progress = GcProgress::parse(job.payload);
    TRY_ASSIGN(const auto trash, parts_.store.read([](catalog::Transaction& tx) {
        return tx.packs().list(PackState::trash, 0, kPage);
    }));
    for (const catalog::PackRow& row : trash) {
        const UnixMillis due{row.pack.trashed.value_or(UnixMillis{}).value +
                             parts_.settings.gc_grace.count()};
        if (parts_.clock.now() < due) {
            return park(job, due);
        }
        TRY(parts_.engine.remove_pack(to_pack(row.pack.id), Deadline::after(kRemoveTime)));
        progress.packs_removed += 1;
        progress.bytes_removed += row.pack.bytes;
        TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
            TRY(tx.packs().erase(row.pack.id));
            job.payload = progress.text();
            return advance(tx, job);
        }));
    }
    return trash.size() == kPage ? park(job, parts_.clock.now()) : complete(job);
}

Status Gc::complete(const model::Job& job) {
    const GcProgress progress = GcProgress::parse(job.payload);
    GcReport last;
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        std::uint64_t packs = 0;
        std::uint64_t bytes = 0;
        TRY(each_pack(tx, PackState::stored, [&](const model::PackRecord& pack) -> Status {
            packs += 1;
            bytes += pack.bytes;
            return ok();
        }));
        TRY(add_gc_run(tx, progress, packs, bytes));
        TRY_ASSIGN(last, last_gc_report(tx));
        TRY_ASSIGN(const std::uint64_t requested, gc_requested(tx));
        model::Job next = job;
        next.step = kIdle;
        next.payload.clear();
        const UnixMillis now = parts_.clock.now();
        return tx.jobs().park(next,
                              requested > last.completed || progress.more != 0
                                  ? now
                                  : UnixMillis{now.value + parts_.settings.gc_period.count()});
    }));
    log_info("gc",
             fmt::format("run over: {} packs, {} bytes removed; {} packs, {} bytes kept; {} packs "
                         "emptied for {} bytes of copies",
                         last.packs_removed, last.bytes_removed, last.packs_kept, last.bytes_kept,
                         last.packs_compacted, last.bytes_copied));
    {
        MutexLock lock(mutex_);
        ++seen_;
    }
    over_.notify_all();
    work_added_();
    return ok();
}

}  // namespace kiln::control
