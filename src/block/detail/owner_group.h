// SPDX-License-Identifier: Apache-2.0
// OwnerGroup: the owners of an engine's reactors as one: which of them has a volume, and what
// concerns several: cuts across them, contents that became rooted, their end. What reads and writes
// a volume goes to its owner alone; what belongs to no volume (storing, merging, layers by name) to
// the first.
//
// Thread-safe. Completions run on any owner's thread, never inside the call. The owners outlive it.
#pragma once

#include <string>
#include <vector>

#include "block/detail/volume_owner.h"

namespace kiln::block {

class OwnerGroup {
  public:
    struct Seat {
        VolumeOwner& owner;
        io::Scheduler& scheduler;
    };
    OwnerGroup(OwnerDirectory& directory, std::vector<Seat> seats)
        : directory_(directory), seats_(std::move(seats)) {}

    // Of a volume that is open; of any other, the owner that can say that it is not.
    const Seat& of(const VolumeId& id) const { return seats_[directory_.owner_of(id).value_or(0)]; }
    // For an open.
    const Seat& place(const VolumeId& id) { return seats_[directory_.place(id)]; }
    const Seat& first() const { return seats_.front(); }

    void cut(std::vector<CutMember> members, std::string set_id, io::Callback<CutEnd> done)
        EXCLUDES(cuts_);
    void content_rooted(const ContentId& content, Done done);
    void counters(io::Callback<Result<EngineCounters>> done);
    void troubles(io::Callback<Result<std::vector<VolumeTrouble>>> done);
    void close_all(io::Callback<> done);

  private:
    // Runs work(owner, its done) with each of the seats, and `done` with the first error.
    template <class Work>
    void everywhere(Work work, Done done);

    OwnerDirectory& directory_;
    const std::vector<Seat> seats_;
    // Cuts reach all their owners in one order: of two that have two owners in common, neither
    // waits for the other on one and is waited for on the other.
    Mutex cuts_;
};

}  // namespace kiln::block
