// SPDX-License-Identifier: Apache-2.0
// History: one seed's life of a store: processes that work on volumes and contents and end (killed,
// with the power, or in good order) at a random step, the next one recovering what is there. What
// is read is judged: by the oracle of a volume, by the instant of a cut, by what a content was seen
// to hold before. Some histories end with a thorough look at everything, and with its removal.
//
// The same seed gives the same history, byte for byte. What a process may do is a table of actions
// (actions.cpp); a new kind of work is a new line there. Thread model: one owner thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "block/detail/owner_group.h"
#include "block/image/repack.h"
#include "block/sim/catalog.h"
#include "block/sim/cores.h"
#include "block/sim/remote.h"
#include "io/sim_reactor.h"
#include "objects/file_object_store.h"

namespace kiln::block::sim {

struct HistoryOptions {
    std::uint64_t seed = 1;
    bool verbose = false;  // every step to stdout, as it happens
    // -1: by the seed. A history with damage has no other faults.
    int faults = -1;
    int damage = -1;
};

struct SweepCase;
// What the sweep puts together.
enum class Work { write, subwrite, trim, flush, cut, destage, clone, drop, collect };

struct HistoryReport {
    std::string failure;            // empty: all went well
    std::deque<std::string> steps;  // the last ones
    std::map<std::string, std::uint64_t> counts;
};

HistoryReport run_history(const HistoryOptions& options);

// The sizes of a history, small, so that borders are met.
struct SimSizes {
    Geometry layers{};
    ImageGeometry trees{};
    std::uint32_t pack_bytes = 0;
    std::size_t cache_bytes = 0;
    ReadAheadLimits read_ahead{};
    std::size_t owners = 1;
};

// One process: everything that ends with it.
struct Process {
    static constexpr std::uint64_t kEndless = 1ULL << 50;
    Process(io::SimMachine& machine, SimCatalog& catalog, const SimSizes& sizes);
    const std::string boot_id;
    io::SimRng rng;
    io::SimReactor reactor;
    objects::FileObjectStore objects;
    SimRemote remote;  // what the image tier sees of them
    SimChunkIndex index;
    InlineWorker worker;
    ImageCache cache;
    ImageContext images;
    Space room{kEndless, kEndless};  // what is left beside the reserve
    SpaceReserve space{[this] { return room; }, {0, 0}};
    struct Core {
        Core(Process& process, std::size_t number, SimCatalog& catalog, const SimSizes& sizes);
        CoreScheduler scheduler;
        ChunkStore store;
        VolumeOwner owner;
    };
    EngineShared shared;
    Turns turns;
    std::vector<std::unique_ptr<Core>> cores;
    OwnerGroup group;
    ChunkStore& store() { return cores.front()->store; }
    // For those who are on its thread.
    VolumeOwner& first() { return group.first().owner; }
    Volume& volume(const VolumeId& id) { return **group.of(id).owner.find(id); }
    // As an engine's calls: on the owner's thread, behind what was asked of it before.
    template <class Work>
    void call(const OwnerGroup::Seat& seat, Work work) {
        seat.scheduler.post(
            [&owner = seat.owner, work = std::move(work)]() mutable { work(owner); });
    }
    template <class Work>
    void call_first(Work work) {
        call(group.first(), std::move(work));
    }
    void open(const VolumeSpec& spec, Done done) {
        call(group.place(spec.id), [spec, done = std::move(done)](VolumeOwner& owner) mutable {
            owner.open(spec, std::move(done));
        });
    }
    void close(const VolumeId& id, bool seal, Done done) {
        call(group.of(id), [id, seal, done = std::move(done)](VolumeOwner& owner) mutable {
            owner.close(id, seal, std::move(done));
        });
    }
    bool alive = true;
    bool recovered = false;
    bool faulty = false;    // operations may fail for no reason of their own
    bool thorough = false;  // the last one
    // Layers with a file whose sync failed, and those that have told of it.
    std::set<LayerId> unsynced;
    std::set<LayerId> stopped;
    std::uint64_t steps = 0;
    std::uint64_t last_step = 0;  // the process ends here
    // Work under way, of which there is one at a time.
    bool destaging = false;
    bool cancelled = false;  // the destage
    bool merging = false;
    bool collecting = false;
    std::set<ContentId> settling;  // rooted, and their volumes are being told
    std::set<LayerId> unnamed;     // to be dropped when nobody uses them any more
    std::size_t views = 0;
};

class History {
  public:
    explicit History(const HistoryOptions& options);
    HistoryReport run();
    // One case of the sweep instead (sweep.h).
    HistoryReport play(const SweepCase& which, bool& reached);

  private:
    using State = SimVolume::State;
    struct Action {
        std::string_view name;
        std::uint32_t weight;
        // False: not possible now.
        bool (History::*start)();
    };
    static const Action kActions[];

    // history.cpp: processes
    void start_process();
    void run_process();
    void set_faults();
    bool step();
    void drain();
    void change_space();
    void end_process();
    void end_in_order();
    void crash(io::Crash kind);
    void settle_volumes(bool power_lost);
    void fail(std::string what);
    void note(std::string step);
    bool allowed(const Error& error) const;
    // Fails the history unless the error is allowed.
    void judge(const std::string& what, const Error& error);
    void sync_failed(const std::string& path);
    // What was known of the volume's active layer when something was asked of it.
    struct Asked {
        LayerId active{};  // none: it is about to be another one
        bool unsynced = false;
        bool stopped = false;
    };
    Asked ask(const SimVolume& volume) const;
    // After a failed sync nothing is durable any more; once that was told nothing is done any more.
    void judge_answer(const std::string& what, const Asked& asked, const Status& status,
                      bool durable);
    // A callback of this process: it is dropped once the process is dead.
    template <class F>
    auto mine(F work) {
        return [process = process_.get(), work = std::move(work)](auto... args) mutable {
            if (process->alive) {
                work(std::move(args)...);
            }
        };
    }
    // Steps until start(completion) has completed; nothing when the process is to end before.
    template <class T, class Start>
    std::optional<Result<T>> await(Start start) {
        auto result = std::make_shared<std::optional<Result<T>>>();
        start(io::Callback<Result<T>>(
            mine([result](Result<T> value) { result->emplace(std::move(value)); })));
        while (!result->has_value()) {
            if (process_->steps >= process_->last_step) {
                return std::nullopt;
            }
            if (!step()) {
                fail("the process stands still");
                return std::nullopt;
            }
        }
        return std::move(*result);
    }

    // recovery.cpp: what a process does before anything else. False: it is over before that.
    bool recover();
    bool expect(const std::string& what, const std::optional<Status>& status);
    // An error that only damage explains. False, and the history has failed, where there is none.
    bool excused(const std::string& what, const Error& error);
    bool recover_set(std::uint64_t number);
    std::optional<bool> sealed_for(const LayerId& layer, const std::string& set, bool& missing);
    bool seal_member(const SimSet::Member& member, bool missing);
    bool recover_sealing(const VolumeRef& volume);
    bool remove_left_packs();
    bool commit_now(std::function<void()> change);
    bool drop_unnamed();

    // actions.cpp: volumes
    void act();
    VolumeRef pick(State state);
    bool create_volume();
    VolumeRef make_volume(std::uint64_t size_bytes);
    bool open_volume();
    bool close_volume();
    bool delete_volume();
    bool grow_volume();
    void grow_prepared(const VolumeRef& volume, std::uint64_t size_bytes);
    bool write();
    bool zero();
    void zero_cells(const VolumeRef& volume, std::uint64_t first, std::uint64_t count,
                    bool durable);
    bool flush();
    void flush_volume(const VolumeRef& volume);
    bool check_read();
    void open(const VolumeRef& volume);
    void opened(const VolumeRef& volume, Status status);
    // Reads all of a volume that is quiet, and judges it.
    void verify(const VolumeRef& volume, std::function<void(bool)> then);
    std::string verified(const VolumeRef& volume, ByteView bytes);
    void close(const VolumeRef& volume, std::function<void()> then);
    void write_cells(const VolumeRef& volume, std::uint64_t first, std::uint64_t count, Value value,
                     bool durable, io::Callback<> then = {});
    bool chain();
    void chain_on(std::uint64_t left);
    std::pair<std::uint64_t, std::uint64_t> random_cells(const SimVolume& volume, bool blocks);

    // reads.cpp
    bool racing_read();
    bool stream();
    void stream_on(const VolumeRef& volume, std::uint64_t cell, std::uint64_t left);
    void read_cells(const VolumeRef& volume, std::uint64_t first, std::uint64_t count,
                    io::Callback<> then);
    // The bytes from `offset` on, of a volume that is open until then.
    void read_in_order(Volume& volume, MutableByteView into, std::uint64_t offset, Done done);

    // cuts.cpp
    bool cut();
    void plan_cut(const std::vector<VolumeRef>& volumes);
    void start_cut(std::uint64_t number, const std::vector<VolumeRef>& volumes);
    void cut_ended(std::uint64_t number, const std::vector<VolumeRef>& volumes, CutEnd end);
    void take_back(std::uint64_t number, const std::vector<VolumeRef>& volumes);
    void forget_cut(SimVolume& volume, const SimSet::Member& member);
    void complete_set(std::uint64_t number);
    bool seal();
    void seal_volume(const VolumeRef& volume);
    void complete_sealing(const VolumeRef& volume);

    // contents.cpp
    bool clone_content();
    VolumeRef clone(const SimContent& content, std::uint64_t more_bytes);
    bool delete_snapshot();
    void delete_snapshot(const ContentId& id);
    bool look();
    void look_at(const ContentId& content);
    void look_ended(const VolumeId& name, std::uint64_t lease);
    bool destage();
    void run_destage(const ContentId& content);
    void destaged(const ContentId& content, std::uint64_t lease, Result<DestagedContent> result);
    bool cancel_destage();
    void settle(const ContentId& content, bool give_up_layers);
    void tell_rooted(const ContentId& content, std::function<void()> then);
    void unlayer(const ContentId& content);
    void cut_off(const ContentId& content);
    bool give_up_layers();
    bool merge_layers();
    void merged(const ContentId& content, const LayerMerge& merge, Status status);
    void tell_merged(std::shared_ptr<std::vector<ContentId>> changed,
                     std::shared_ptr<std::vector<LayerId>> unnamed);
    void forget(std::function<void()> change, std::function<void()> then);
    void drop(const LayerId& layer);
    bool drop_layers();

    // collect.cpp
    bool collect();
    void mark(std::function<void(PackUses)> then);
    void compact(const PackUses& reached);
    void compacted(PackUses reached, Result<Repacked> made);
    void condemn(const PackUses& reached);
    void wait_for_leases(std::uint64_t epoch);
    void trash(const PackUses& reached);
    void check_reclaimed();
    void remove_packs(std::vector<PackId> packs);

    // damage.cpp
    bool damage();
    bool sealed(const LayerId& layer) const;
    bool data_is_checked(const LayerId& layer) const;
    bool is_checked(const std::string& path) const;
    std::vector<std::string> checked_files() const;
    std::optional<io::SimPlace> place_in(const std::string& path);
    void rot(const io::SimPlace& place);
    std::optional<io::SimPlace> astray(const std::string& from);
    void exchange_files(const std::string& path, std::vector<std::string> files);
    void doubt_unless_checked(const std::string& path);
    std::string implausible(const std::set<VolumeId>& lineage, std::uint64_t first_cell,
                            ByteView bytes) const;

    // sweep.cpp
    void set_up_sweep(std::uint64_t first_ring);
    bool rest(std::uint64_t until, const std::function<bool()>& done);
    void begin(Work work);

    // finale.cpp
    void finale();
    void last_look();
    void look_at_everything();
    void destage_everything();
    void compare_roots();
    void write_again(const SimContent& content);
    void delete_some();
    void delete_everything();

    const HistoryOptions options_;
    HistoryReport report_;
    io::SimMachine machine_;
    io::SimRandom& random_;
    SimCatalog catalog_;
    SimSizes sizes_;
    bool faults_ = false;
    bool damaging_ = false;  // there may be damage
    bool damaged_ = false;   // there was
    std::map<Value, VolumeId> writers_;
    Value next_value_ = 1;
    std::uint64_t next_lease_ = 1;
    VolumeRef sweep_volume_;  // what the sweep works on
    std::unique_ptr<Process> process_;
};

std::string outcome(const Status& status);

}  // namespace kiln::block::sim
