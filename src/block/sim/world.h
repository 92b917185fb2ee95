// SPDX-License-Identifier: Apache-2.0
// World: what outlives the processes of a history: the machine with its disk, the catalog's rows,
// and the oracles. Rows are durable the moment they change; that the answer to a change is lost, or
// that the process ends before it, is played by changing them from a timer.
//
// SimCatalog is the ContentStore over these rows. Thread model: one owner thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "block/content_store.h"
#include "block/engine.h"
#include "block/sim/oracle.h"
#include "io/sim_reactor.h"

namespace kiln::block::sim {

// A cut that was begun: the intent is in the catalog before the layer is sealed.
struct Cut {
    ContentId content;
    LayerId successor;  // empty: the volume ends with the cut
    std::vector<Value> values;
    bool sealed = false;  // acknowledged
};

struct SimVolume {
    enum class State { closed, opening, verifying, open, closing };
    // Rows.
    VolumeId id;
    std::uint64_t size_bytes = 0;
    ContentId base;
    LayerId active;
    std::optional<Cut> cut;
    bool deleted = false;
    // The truth.
    Oracle oracle;
    bool after_loss = false;  // nothing was read since the power went
    // Of the present process.
    State state = State::closed;
    std::size_t changes_in_flight = 0;
    bool reading = false;  // changes wait
};

struct SimContent {
    ContentRecord record;
    std::vector<Value> values;
};

class SimCatalog final : public ContentStore {
  public:
    explicit SimCatalog(io::SimRandom& random) : random_(random) {}
    // Answers come through the process's scheduler, late.
    void set_scheduler(io::Scheduler& scheduler) { scheduler_ = &scheduler; }
    void chain(const ContentId& id, ChainDone done) override;

    bool names(const LayerId& layer) const;
    // A volume or another content stands on it.
    bool in_use(const ContentId& id) const;
    std::string new_id(const char* prefix) { return prefix + std::to_string(next_id_++); }

    std::map<VolumeId, std::shared_ptr<SimVolume>> volumes;
    std::map<ContentId, SimContent> contents;

  private:
    io::SimRandom& random_;
    io::Scheduler* scheduler_ = nullptr;
    std::uint64_t next_id_ = 1;
};

// The row changes of a finished cut: the content, and what becomes of the volume.
void complete_cut(SimCatalog& catalog, const std::shared_ptr<SimVolume>& volume);

}  // namespace kiln::block::sim
