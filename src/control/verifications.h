// SPDX-License-Identifier: Apache-2.0
// Verifications: reads everything an image, a snapshot or a volume consists of, and says what of it
// cannot be read as it was written (INT-1).
//
// A snapshot is its content: the data of the layers it stands on, and every node and chunk of the
// tree below them, read past the caches and checked against their digests. A volume is that of its
// base, and then its own bytes, read as its guest reads them; guests go on meanwhile. Of each page
// of some MiB only the damage is kept. Reads are few at a time and hashing has low priority, so
// that guests come first. Thread-safe, blocking.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/parts.h"
#include "control/volume_access.h"
#include "model/image.h"
#include "model/snapshot.h"

namespace kiln::control {

// Ranges that are listed for one snapshot or volume; more are only counted.
inline constexpr std::size_t kMaxListedDamage = 1000;

struct VerifyTarget {
    std::string id;            // snap-... or vol-...
    std::string device{};      // of the mapping, where an image was named
    model::VolumeId volume{};  // of a volume
    model::ContentId content;  // empty: a volume over nothing
    std::uint64_t size_bytes = 0;
};

struct Verified {
    std::uint64_t bytes = 0;
    std::uint64_t chunks = 0;
    std::uint64_t nodes = 0;
    std::uint64_t blocks = 0;           // of 4 KiB, in layers
    std::string root_digest;            // hex; empty while it is not stored as a tree
    std::uint64_t unreadable = 0;       // ranges
    std::vector<block::Damage> damage;  // the first of them
};

class Verifications {
  public:
    // `work_added` is called when jobs that waited for a verification's end may go on.
    Verifications(const Parts& parts, VolumeAccess& volumes, std::function<void()> work_added)
        : parts_(parts), volumes_(volumes), work_added_(std::move(work_added)) {}

    // `id` is ami-..., snap-... or vol-.... Of an image all its snapshots, which the caller must be
    // allowed to read (SNP-12).
    Result<std::vector<VerifyTarget>> find(const Caller& caller, const std::string& id);
    // Called after every page with what was read so far; an error of it ends the verification.
    using Tick = std::function<Status(const Verified& so_far)>;
    // Unavailable when what is verified was deleted, or stored anew, under its hands.
    Result<Verified> run(const VerifyTarget& target, const Tick& tick);

  private:
    Status run_content(const VerifyTarget& target, const Tick& tick, Verified& result);
    Status take(block::VerifyPage page, Verified& result);
    Status run_volume(const VerifyTarget& target, const Tick& tick, Verified& result);
    Result<block::DataPage> read_page(const VerifyTarget& target, std::uint64_t from,
                                      Verified& result);
    Status read_piece(const VerifyTarget& target, std::uint64_t offset, std::uint64_t length,
                      Verified& result);

    const Parts parts_;
    VolumeAccess& volumes_;
    const std::function<void()> work_added_;
};

}  // namespace kiln::control
