// SPDX-License-Identifier: Apache-2.0
#include "block/detail/replay.h"

#include <deque>

namespace kiln::block {
namespace {

class Replayer {
  public:
    Replayer(const Superblock& superblock, PresenceMap checkpointed)
        : state_{.presence = std::move(checkpointed),
                 .end = {},
                 .boot_id = superblock.boot_id,
                 .last_change_seq = superblock.head.seq - 1,
                 .through_seq = superblock.head.seq - 1} {}

    Status visit(const Record& record) {
        if (state_.frozen) {
            return Error(Code::data_loss, "a journal record follows the seal");
        }
        switch (record.type) {
            case RecordType::set:
            case RecordType::zero:
                state_.last_change_seq = record.seq;
                queue_.push_back(record);
                break;
            case RecordType::flushed:
                apply_through(record.through_seq);
                state_.logged.clear();  // all of it is in its place
                break;
            case RecordType::logged:
                apply_through(record.through_seq);
                for (const LoggedBlock& one : record.logged) {
                    state_.logged.insert_or_assign(one.block, one.data);
                }
                break;
            case RecordType::freeze:
                apply_through(record.seq);
                state_.logged.clear();
                state_.frozen = true;
                break;
            case RecordType::ckpt:
                break;
            case RecordType::boot:
                boot(record.boot_id);
                break;
        }
        return ok();
    }

    // The host started anew: what was not durable is gone, and stays gone.
    void boot(const std::string& boot_id) {
        if (boot_id != state_.boot_id) {
            queue_.clear();
            state_.logged.clear();  // whoever wrote BOOT put it in its place before
            state_.boot_id = boot_id;
        }
    }

    void apply_through(std::uint64_t seq) {
        apply_queue(seq);
        state_.through_seq = std::max(state_.through_seq, seq);
    }

    void apply_queue(std::uint64_t seq) {
        while (!queue_.empty() && queue_.front().seq <= seq) {
            const Record& record = queue_.front();
            const auto to = record.type == RecordType::set ? BlockState::data : BlockState::zero;
            for (const BlockRange run : record.runs) {
                state_.presence.set(run, to);
            }
            queue_.pop_front();
        }
    }

    Replayed& state() { return state_; }

  private:
    Replayed state_;
    std::deque<Record> queue_;
};

}  // namespace

Result<Replayed> replay_journal(const Superblock& superblock, PresenceMap checkpointed,
                                ByteView ring, const std::string& boot_id) {
    Replayer replayer(superblock, std::move(checkpointed));
    TRY_ASSIGN(const JournalEnd end,
               scan_unrolled(ring, superblock.head, superblock.size_bytes / kBlockBytes,
                             [&](const Record& record) { return replayer.visit(record); }));
    Replayed& state = replayer.state();
    const bool same_boot = state.boot_id == boot_id;
    if (end.next.seq <= superblock.floor_seq) {
        return Error(Code::data_loss, "the journal ends at record " +
                                          std::to_string(end.next.seq - 1) + ", and " +
                                          std::to_string(superblock.floor_seq) + " was written");
    }
    if (end.leftovers_end != 0 && (same_boot || end.synced_beyond || state.frozen ||
                                   end.ckpt_beyond > superblock.generation)) {
        return Error(Code::data_loss,
                     "the journal is damaged after record " + std::to_string(end.next.seq - 1));
    }
    state.data_logged = !state.logged.empty();
    if (same_boot) {
        replayer.apply_queue(end.next.seq);
        state.logged.clear();
    }
    std::erase_if(state.logged, [&](const auto& one) {
        return state.presence.run(one.first, 1).state != BlockState::data;
    });
    state.end = end;
    return std::move(state);
}

}  // namespace kiln::block
