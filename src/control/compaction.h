// SPDX-License-Identifier: Apache-2.0
// Compaction: the part of a run of garbage collection that empties packs of which little is
// reached. What a mark reached in them is copied into new packs (block::Repack), and they are
// condemned; from there on they go the way of every condemned pack (Gc).
//
// Nothing depends on the mark being up to date. An entry that was not copied and is needed all the
// same, since a root came meanwhile, is found in its condemned pack alone by the confirming mark,
// which keeps that pack. A job that hit a condemned pack finds out when it commits. A kill leaves
// new packs that are reached, because the old ones are condemned, or that the next run takes.
//
// Thread model: run() is called by one thread, stop() by any.
#pragma once

#include <optional>

#include "control/parts.h"
#include "util/mutex.h"

namespace kiln::control {

struct Compacted {
    std::uint64_t packs = 0;  // emptied and condemned
    std::uint64_t bytes_written = 0;
    std::vector<block::PackId> written;
    bool more = false;  // there was more than is done in one run
    // What is reached of all stored packs, before.
    std::uint64_t live_bytes = 0;
};

class Compaction {
  public:
    explicit Compaction(const Parts& parts) : parts_(parts) {}

    // After a mark that reached this, before what it did not reach is condemned. Packs that a job
    // under way may have written, from `oldest_lease` on, are left alone. A failure ends it early,
    // and is told in the log; an error only when the catalog has one, or the service stops.
    Result<Compacted> run(const block::PackUses& reached,
                          std::optional<std::uint64_t> oldest_lease);
    // Somebody waits: the run under way, or the next one, does not wait for its rate.
    void hurry() EXCLUDES(mutex_);
    // Ends a run that waits for its rate.
    void stop() EXCLUDES(mutex_);

  private:
    struct Candidate;
    using Candidates = std::vector<Candidate>;
    Result<Candidates> candidates(const block::PackUses& reached,
                                  std::optional<std::uint64_t> oldest_lease, Compacted& done);
    void choose(Candidates& all, Compacted& done);
    Result<bool> turn(std::vector<block::RepackPiece> pieces, Compacted& done);
    Status condemn(const std::vector<block::PackId>& packs, Compacted& done);
    Status wait(std::uint64_t bytes) EXCLUDES(mutex_);

    const Parts parts_;
    Mutex mutex_;
    CondVar changed_;
    bool hurried_ GUARDED_BY(mutex_) = false;
    bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace kiln::control
