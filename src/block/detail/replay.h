// SPDX-License-Identifier: Apache-2.0
// Replay: from the checkpointed presence and the bytes of a journal to the state of a layer, by the
// rules of docs/formats/layer.md ("Recovery"), the boot-id rule included. Bounded by the journal's
// size.
// Thread model: pure function.
#pragma once

#include <map>

#include "block/detail/journal_format.h"
#include "block/detail/presence.h"

namespace kiln::block {

struct Replayed {
    PresenceMap presence;
    JournalEnd end;
    std::string boot_id;  // of the last writer
    bool frozen = false;
    std::uint64_t last_change_seq = 0;  // the last SET or ZERO in the journal
    std::uint64_t through_seq = 0;      // the last durable one
    // What is in the journal alone, as the host started anew since: to be written in place, and
    // synced, before BOOT. Views into the ring.
    std::map<std::uint64_t, ByteView> logged{};
    bool data_logged = false;  // there is a LOGGED record behind the last FLUSHED
};

// data_loss as the rules say. `ring` is unrolled, from the head on; `boot_id` is this host's.
Result<Replayed> replay_journal(const Superblock& superblock, PresenceMap checkpointed,
                                ByteView ring, const std::string& boot_id);

}  // namespace kiln::block
