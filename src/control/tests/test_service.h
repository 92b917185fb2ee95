// SPDX-License-Identifier: Apache-2.0
// TestService: the service without its daemon, for tests of the use cases: the real engine over
// files, the real catalog on SQLite, the scripted hypervisor, and jobs that run when told.
// Everything of one life of the service is in a TestService; another on the same directory is the
// next life. Thread model: one owner thread, besides the threads of the parts.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>

#include "catalog/sqlite_store.h"
#include "compute/fake/fake_hypervisor.h"
#include "control/chunk_index.h"
#include "control/content_store.h"
#include "control/content_worker.h"
#include "control/cuts.h"
#include "control/gc.h"
#include "control/images.h"
#include "control/imports.h"
#include "control/scrub.h"
#include "control/snapshots.h"
#include "control/tests/codes.h"
#include "io/tests/support.h"

namespace kiln::control::testing {

using io::testing::TempDir;

inline const Caller kAlice{model::AccountId("111111111111"), "us-east-1", true, "test"};
inline const Caller kBob{model::AccountId("222222222222"), "us-east-1", false, "test"};

// Runs `life` in a process of its own, which ends there, by itself or by its own hand; its exit
// status. As a kill does, that leaves what the kernel was given.
int live_and_die(const std::function<void()>& life);

inline Deadline soon() {
    return Deadline::after(std::chrono::seconds(30));
}

// A store that tells of every committed transaction, and may stop the process there.
class WatchedStore final : public catalog::Store {
  public:
    explicit WatchedStore(std::unique_ptr<catalog::Store> below) : below_(std::move(below)) {}
    const std::string& uuid() const override { return below_->uuid(); }
    Result<std::unique_ptr<catalog::Store>> copy_to(const std::string& path) override {
        return below_->copy_to(path);
    }
    std::function<void()> before;
    std::function<void()> after;

  private:
    Status run_body(const Body& body) override;
    Status read_body(const Body& body) override;
    std::unique_ptr<catalog::Store> below_;
};

// Holds back the completions of insert(), so that a destage stands still with its packs written.
class GateIndex final : public block::ChunkIndex {
  public:
    struct Gate {
        Mutex mutex;
        CondVar changed;
        bool closed GUARDED_BY(mutex) = false;
        bool reached GUARDED_BY(mutex) = false;
        std::vector<std::function<void()>> held GUARDED_BY(mutex);
    };
    GateIndex(std::unique_ptr<block::ChunkIndex> below, io::Scheduler& scheduler, Gate& gate)
        : below_(std::move(below)), scheduler_(scheduler), gate_(gate) {}
    void lookup(const block::DomainId& domain, std::vector<block::ChunkId> ids,
                block::LookupFor purpose, io::Callback<Result<block::Located>> done) override {
        below_->lookup(domain, std::move(ids), purpose, std::move(done));
    }
    void begin_pack(const block::PackHeader& pack, block::Done done) override {
        below_->begin_pack(pack, std::move(done));
    }
    void insert(const block::PackHeader& pack, std::uint64_t pack_bytes,
                std::vector<block::PackEntry> entries, block::Done done) override;
    void remove(const block::PackId& pack, block::Done done) override {
        below_->remove(pack, std::move(done));
    }

  private:
    std::unique_ptr<block::ChunkIndex> below_;
    io::Scheduler& scheduler_;
    Gate& gate_;
};

class TestService {
  public:
    struct Options {
        std::size_t max_undestaged_layers = 64;
        unsigned inject_retry_percent = 20;
        std::chrono::milliseconds scrub_period = std::chrono::hours(1);
        std::uint64_t scrub_bytes_per_second = 1ULL << 40;
        std::uint64_t compact_bytes_per_second = 1ULL << 40;
    };
    explicit TestService(const std::string& where) : TestService(where, Options{}) {}
    TestService(const std::string& where, const Options& options);
    ~TestService();

    // What the daemon does at its start, before jobs.
    void recover();
    void start_jobs() { REQUIRE(jobs->start(2)); }

    // A volume with its row and a layer that has no files yet, available.
    model::VolumeId add_volume(std::uint32_t size_gib = 1, const model::ContentId& base = {});
    void remove_volume(const model::VolumeId& id);
    // As for somebody who looks at it: there is no instance to attach it to.
    void open(const model::VolumeId& id) { REQUIRE(volumes->open_read_only(id, soon())); }
    void close(const model::VolumeId& id) { REQUIRE(volumes->close_read_only(id, soon())); }
    // Blocks of 64 KiB filled with a text that begins with `word`; the volume must be open.
    void write(const model::VolumeId& id, std::uint64_t chunk, const std::string& word);
    // The word of that block, empty for zeros.
    std::string read(const model::VolumeId& id, std::uint64_t chunk);
    std::string read(const model::ContentId& id, std::uint64_t chunk);

    model::SnapshotId snapshot(const model::VolumeId& id);
    model::Snapshot row(const model::SnapshotId& id);
    model::Volume row(const model::VolumeId& id);
    model::Content row(const model::ContentId& id);
    model::LayerRecord row(const model::LayerId& id);
    std::size_t contents();
    std::size_t jobs_of(const std::string& kind);
    std::map<model::PackState, std::size_t> packs();
    std::size_t objects() const;  // files in the object store
    // Holds destages back once they wrote a pack; waits for one to get there; lets go.
    void close_gate();
    void wait_at_gate();
    void open_gate();
    // Fails the test when `done` does not come true in time.
    void wait_until(const std::function<bool()>& done, const std::string& what);
    void wait_rooted(const model::ContentId& id);
    // Fails the test when these reads go on reading packs. Once they may: a stack that is made anew
    // at that moment reads the root of its tree.
    void without_packs(const std::function<void()>& reads);
    // A whole run, by the job.
    GcReport collect_garbage();

    const std::string directory;
    std::unique_ptr<io::Clock> clock;
    std::unique_ptr<io::Rng> rng;
    std::unique_ptr<WatchedStore> store;
    GateIndex::Gate gate;
    Executor lookups;
    Executor index;
    CatalogContents contents_store;
    // What the file system is said to have left, of 100 GiB; the reserve is 5 GiB.
    std::atomic<std::uint64_t> available{50 * kGiB};
    block::SpaceReserve space{[this] { return block::Space{available, 100 * kGiB}; }, {}};
    std::unique_ptr<block::Engine> engine;
    compute::FakeHost host;
    struct NoEvents final : compute::MachineEvents {
        void on_event(const compute::MachineId&, std::uint64_t,
                      const compute::MachineEvent&) override {}
    } events;
    std::unique_ptr<compute::Hypervisor> hypervisor;
    const Topology topology = Topology::built_in();
    Settings settings;
    std::unique_ptr<Parts> parts;
    std::unique_ptr<JobRunner> jobs;
    std::unique_ptr<VolumeAccess> volumes;
    std::unique_ptr<ContentWorker> worker;
    std::unique_ptr<Scrub> scrub;
    std::unique_ptr<Cuts> cuts;
    std::unique_ptr<Snapshots> snapshots;
    std::unique_ptr<Gc> gc;
};

}  // namespace kiln::control::testing
