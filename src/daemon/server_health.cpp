// SPDX-License-Identifier: Apache-2.0
// Server: how it fares, as HealthDoor tells it.
#include <unistd.h>

#include <fstream>

#include "daemon/server.h"

namespace kiln::daemon {
namespace {

constexpr double kMiB = 1U << 20;

// Nothing outside Linux, and never an error: a missing figure is no reason to refuse the others.
double resident_bytes() {
    std::ifstream file("/proc/self/statm");
    double total = 0;
    double resident = 0;
    file >> total >> resident;
    return file ? resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

Status Server::is_ready() {
    TRY(store_->read([](catalog::Transaction& tx) -> Status {
        catalog::AccountQuery any;
        any.page.limit = 1;
        TRY(tx.accounts().list(any));
        return ok();
    }));
    TRY_ASSIGN(const auto figures, space_->measure());
    return figures.room() > 0
               ? ok()
               : Status(Error(Code::resource_exhausted,
                              "The file system of " + data_ + " is full up to the reserve."));
}

std::vector<api::Gauge> Server::gauges() {
    std::vector<api::Gauge> all;
    const auto add = [&](const char* name, const char* help, auto value) {
        all.push_back({name, help, static_cast<double>(value)});
    };
    add("kiln_machines", "Machines that run", hypervisor_->machines().size());
    add("process_resident_memory_bytes", "Resident memory of this process", resident_bytes());
    if (const auto memory = hypervisor_->host_memory()) {
        add("kiln_memory_bytes", "Memory of the host, or the limit of the control group",
            static_cast<double>(memory->total_mib) * kMiB);
        add("kiln_memory_available_bytes", "Of that, available",
            static_cast<double>(memory->available_mib) * kMiB);
        add("kiln_memory_low", "1 while machines run and hardly any is available",
            memory_watch_->low() ? 1 : 0);
    }
    if (const auto figures = space_->measure()) {
        add("kiln_store_capacity_bytes", "Size of the data directory's file system",
            figures->space.total);
        add("kiln_store_available_bytes", "Free there", figures->space.available);
        add("kiln_store_reserve_bytes", "Of that, kept for journals and the catalog",
            figures->reserve);
    }
    const block::EngineCounters engine = engine_->counters();
    add("kiln_layers_created", "Layer files made since the start", engine.layers_created);
    add("kiln_layers_opened", "Layer files opened since the start", engine.layers_opened);
    add("kiln_chunk_reads", "Chunks and nodes read from packs since the start", engine.chunk_reads);
    add("kiln_read_ahead_bytes", "Bytes of chunks read before anybody asked, since the start",
        engine.read_ahead_bytes);
    add("kiln_read_ahead_used_bytes", "Of that, asked for later", engine.read_ahead_used_bytes);
    add("kiln_read_ahead_wasted_bytes", "Of that, gone from the cache before",
        engine.read_ahead_wasted_bytes);
    add("kiln_packs_written", "Packs written since the start", engine.packs_written);
    add("kiln_cuts", "Cuts (instants captured for snapshots) since the start", engine.cuts);
    if (const auto scrub = scrub_->report()) {
        add("kiln_scrub_passes", "Times that everything stored was read for damage", scrub->passes);
        add("kiln_scrub_damaged_packs",
            "Packs found damaged by the last time, or so far by this one", scrub->damaged);
        add("kiln_scrub_end_time_seconds", "When the last time was over, in Unix time",
            scrub->ended.value / 1000);
    }
    if (const auto gc = gc_->totals()) {
        add("kiln_gc_runs", "Runs of garbage collection", gc->runs);
        add("kiln_gc_removed_bytes", "Bytes of packs removed by all runs", gc->bytes_removed);
        add("kiln_gc_compacted_packs", "Packs emptied by copying what was needed of them",
            gc->packs_compacted);
        add("kiln_gc_copied_bytes", "Bytes written for that", gc->bytes_copied);
        add("kiln_gc_stored_bytes", "Bytes of packs after the last run", gc->last.bytes_kept);
        add("kiln_gc_live_bytes", "Of what was stored before it, bytes that were needed",
            gc->last.bytes_live);
    }
    const auto jobs =
        store_->read([](catalog::Transaction& tx) { return tx.jobs().list(catalog::JobQuery{}); });
    if (jobs) {
        add("kiln_jobs", "Jobs that are queued or under way", jobs->size());
    }
    return all;
}

}  // namespace kiln::daemon
