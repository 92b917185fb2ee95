// SPDX-License-Identifier: Apache-2.0
// Cuts: snapshots of one or several volumes at one instant (D7).
//
//   transaction 1   `pending` snapshots, their contents, and the successors as the volumes' active
//                   layers, of all volumes of the set
//   the cut         the engine swaps the successors in and seals what is below: the sealed layers
//                   name the set
//   transaction 2   layers sealed, contents queued for destage, snapshots `completed`
//
// A crash in between is settled by recover_cuts(): when every layer names the set it was cut, and
// transaction 2 follows; else the whole set ends in `error`, and its layers stay in their stacks,
// where they change no byte of any volume. A cut that fails before its instant is taken back; one
// that fails after it ends in `error`.
//
// A content with too many layers below it that are not destaged yet is cut all the same, but its
// set stays pending until there are fewer (D8): complete_waiting_sets().
//
// Thread-safe, blocking.
#pragma once

#include <functional>
#include <vector>

#include "control/contents.h"
#include "control/parts.h"
#include "control/volume_access.h"
#include "model/snapshot.h"

namespace kiln::control {

class Cuts {
  public:
    // What transaction 1 begins with: checks everything and gives a snapshot for each volume, whole
    // but for content and set. The volumes are those that were named before, else `conflict`.
    using Begin = std::function<Result<std::vector<model::Snapshot>>(catalog::Transaction& tx)>;

    // What else goes into those transactions.
    struct Also {
        // At the end of transaction 1: the snapshots have their contents.
        std::function<Status(catalog::Transaction& tx, const std::vector<model::Snapshot>&)> begun;
        // When the cut is taken back, before the contents go.
        std::function<Status(catalog::Transaction& tx)> taken_back;
    };

    // `work_added` is called after a transaction that queued a job.
    Cuts(const Parts& parts, VolumeAccess& volumes, std::function<void()> work_added)
        : parts_(parts), volumes_(volumes), work_added_(std::move(work_added)) {}

    // The snapshots as transaction 1 wrote them.
    Result<std::vector<model::Snapshot>> cut(const std::vector<model::VolumeId>& volumes,
                                             const Begin& begin, const Also& also = {});

  private:
    struct Set {
        model::SnapshotSetId id;
        std::vector<model::Snapshot> snapshots;
        std::vector<block::CutMember> members;
    };

    Result<std::vector<model::Snapshot>> cut_held(const VolumeHold& hold,
                                                  const std::vector<model::VolumeId>& volumes,
                                                  const Begin& begin, const Also& also);
    Result<Set> write_pending(catalog::Transaction& tx, const std::vector<model::VolumeId>& volumes,
                              const Begin& begin, const Also& also);
    Result<block::CutMember> write_member(catalog::Transaction& tx, model::Snapshot& snapshot);
    Status after_failure(const Set& set, const Also& also, block::CutEnd cut);
    void drop_successors(const Set& set);
    static Status take_back(catalog::Transaction& tx, const Set& set);

    const Parts parts_;
    VolumeAccess& volumes_;
    const std::function<void()> work_added_;
};

}  // namespace kiln::control
