// SPDX-License-Identifier: Apache-2.0
// SimCatalog: the rows that outlive the processes of a history, and the transactions on them (D29).
// A commit takes effect at a random moment and is answered at a later one; when the process ends in
// between, the change is there and the answer lost; when it ends before, the changes under way are
// there up to a random one.
//
// It is the ContentStore of the engine: a question is answered from the rows of a random moment
// after it, later still. SimChunkIndex is the ChunkIndex of one process over the same rows. Thread
// model: one owner thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "block/content_store.h"
#include "block/engine.h"
#include "block/image/chunk_index.h"
#include "block/sim/oracle.h"
#include "io/scheduler.h"
#include "io/sim_random.h"

namespace kiln::block::sim {

// What a content must say: known to the byte once it was read, judged by its cut until then.
struct ContentTruth {
    std::optional<std::vector<Value>> values{};
    std::shared_ptr<CutTruth> cut{};
    std::size_t member = 0;
    bool doubtful = false;  // damage may have taken it back to an older time

    // All of it. What is legal is from then on what it says.
    std::string judge(ByteView bytes);
};

struct SimVolume {
    enum class State { closed, opening, verifying, open, closing };
    // Rows.
    VolumeId id;
    std::uint64_t size_bytes = 0;
    ContentId base;
    LayerId active;
    std::optional<ContentId> sealing{};  // it is to become this content
    bool deleted = false;
    // The truth. No oracle: never opened; what it shows is its origin, and zeros.
    std::shared_ptr<ContentTruth> origin{};
    std::optional<Oracle> oracle{};
    bool after_loss = false;       // nothing was read since the power went
    bool doubtful = false;         // damage may have taken it back to an older time
    std::set<VolumeId> lineage{};  // whose writes it may show: its own, and those it came from
    // Of the present process.
    State state = State::closed;
    std::size_t changes_in_flight = 0;
    bool reading = false;        // changes wait
    bool planned = false;        // a cut is being written down; nothing else begins
    bool growing = false;        // no cut, close or end beside it
    std::size_t cuts = 0;        // under way in the engine
    bool broken = false;         // only recovery helps
    std::size_t taken_back = 0;  // failed cuts that are being taken back
};
using VolumeRef = std::shared_ptr<SimVolume>;

struct SimContent {
    ContentRecord record;
    std::shared_ptr<ContentTruth> truth{};  // none: nobody was promised anything about it alone
    bool named = false;                     // by a snapshot, or by a set that is pending
    bool sealed = false;                    // its layer is
    bool doubtful = false;                  // as in SimVolume; its truth says so, too
    std::set<VolumeId> lineage{};
};

// A cut of several volumes that is pending.
struct SimSet {
    struct Member {
        VolumeId volume;
        ContentId content;
        LayerId layer;
        LayerId successor;
    };
    std::vector<Member> members;
    std::shared_ptr<CutTruth> truth;
    bool promised = false;  // the engine said that all of it is sealed
};

// A job or a reader at work. That of a job is renewed, and runs out when the job stalls.
struct SimLease {
    std::uint64_t epoch = 0;
    bool job = false;
};

enum class PackState { writing, stored, condemned, trash };

struct SimPack {
    PackHeader header;
    PackState state = PackState::writing;
    std::vector<PackEntry> entries;
};

// Its own layer, then its spares.
std::vector<LayerId> layers_of(const ContentRecord& record);

class SimCatalog final : public ContentStore {
  public:
    explicit SimCatalog(io::SimRandom& random) : random_(random) {}
    void set_scheduler(io::Scheduler& scheduler) { scheduler_ = &scheduler; }

    void chain(const ContentId& id, ChainDone done) override;
    // `change` runs when it takes effect, and touches rows only. cancelled: the process ended.
    void commit(std::function<void()> change, std::function<void(Status)> answered);
    // The process ended.
    void crash();

    bool names(const LayerId& layer) const;
    // The content is rooted from here on; the layers below its own become its spares.
    void root(SimContent& content, std::string digest);
    // Puts the target in the place of the merged layers, in each content that has them. Those of
    // them all that nobody names then.
    std::vector<LayerId> replace_layers(const LayerMerge& merge, std::vector<ContentId>& changed);
    // The layers that a content had and nobody else names.
    std::vector<LayerId> give_up_layers(const ContentId& id);
    // Deletes contents that nobody names or stands on, and tells their layers.
    std::vector<LayerId> sweep();
    std::vector<std::string> roots() const;
    void index_pack(SimPack pack);
    void unindex(const PackId& pack);

    template <class T>
    T new_id(const char* prefix) {
        return T(prefix + std::to_string(next_id_++));
    }
    std::chrono::microseconds delay() { return std::chrono::microseconds(random_.below(1000)); }

    Moments moments;
    std::map<VolumeId, VolumeRef> volumes;
    std::map<ContentId, SimContent> contents;
    std::map<std::uint64_t, SimSet> sets;  // in the order they were begun
    std::map<PackId, SimPack> packs;
    std::map<std::pair<DomainId, ChunkId>, std::map<PackId, PackEntry>> places;
    std::map<std::uint64_t, SimLease> leases;
    std::uint64_t epoch = 1;
    std::uint64_t next_set = 1;

  private:
    bool needed(const ContentId& id) const;

    io::SimRandom& random_;
    io::Scheduler* scheduler_ = nullptr;
    std::map<std::uint64_t, std::function<void()>> pending_;
    std::uint64_t next_commit_ = 1;
    std::uint64_t next_id_ = 1;
};

class SimChunkIndex final : public ChunkIndex {
  public:
    SimChunkIndex(SimCatalog& catalog, io::Scheduler& scheduler)
        : catalog_(catalog), scheduler_(scheduler) {}
    void lookup(const DomainId& domain, std::vector<ChunkId> ids, LookupFor purpose,
                io::Callback<Result<Located>> done) override;
    void begin_pack(const PackHeader& pack, Done done) override;
    void insert(const PackHeader& pack, std::uint64_t pack_bytes, std::vector<PackEntry> entries,
                Done done) override;
    void remove(const PackId& pack, Done done) override;

  private:
    SimCatalog& catalog_;
    io::Scheduler& scheduler_;
};

}  // namespace kiln::block::sim
