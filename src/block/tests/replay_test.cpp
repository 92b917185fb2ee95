// SPDX-License-Identifier: Apache-2.0
// The boot-id rule and the rules for torn and damaged ends (docs/formats/layer.md, "Recovery"), on
// journals made by hand.
#include "block/detail/replay.h"

#include <doctest/doctest.h>

#include "block/tests/support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

Superblock superblock(std::uint64_t floor_seq = 0) {
    return {.store_uuid = "s",
            .volume_id = "vol-1",
            .layer_id = "l-1",
            .size_bytes = 100 * kBlockBytes,
            .page_blocks = 64,
            .shard_bytes = 64 << 10,
            .generation = 1,
            .boot_id = "boot-1",
            .key = {},
            .max_ring_bytes = 64 << 10,
            .head = {.position = 0, .seq = 1, .prev_crc = 7},
            .floor_seq = floor_seq};
}

class Journaled {
  public:
    Journaled& add(const Record& record) {
        append_record(record.type, encode_payload(record), at_, bytes);
        return *this;
    }
    Journaled& set(std::uint64_t block) {
        return add({.type = RecordType::set, .runs = {{block, 1}}});
    }
    Journaled& zero(std::uint64_t block) {
        return add({.type = RecordType::zero, .runs = {{block, 1}}});
    }
    Journaled& flushed(std::uint64_t through, std::uint64_t synced = 0) {
        return add({.type = RecordType::flushed, .through_seq = through, .synced_seq = synced});
    }
    Journaled& logged(std::uint64_t through, std::uint64_t block, const Bytes& data) {
        return add({.type = RecordType::logged, .through_seq = through, .logged = {{block, data}}});
    }
    Journaled& boot(const std::string& id) {
        return add({.type = RecordType::boot, .boot_id = id});
    }
    Journaled& freeze() { return add({.type = RecordType::freeze, .freeze = {}}); }
    Bytes bytes;

  private:
    JournalPosition at_{.position = 0, .seq = 1, .prev_crc = 7};
};

BlockState state(const Result<Replayed>& replayed, std::uint64_t block) {
    REQUIRE(replayed);
    return replayed->presence.run(block, 1).state;
}

Result<Replayed> replay(const Journaled& journal, const std::string& boot_id,
                        std::uint64_t floor = 0) {
    Bytes ring = journal.bytes;
    ring.resize(16384);
    return replay_journal(superblock(floor), PresenceMap(100, 64), ring, boot_id);
}

}  // namespace

TEST_CASE("D2: after the end of a process every record counts") {
    const auto state_now =
        replay(Journaled().set(1).flushed(1).set(2).zero(1).set(3).zero(3), "boot-1");
    CHECK(state(state_now, 1) == BlockState::zero);
    CHECK(state(state_now, 2) == BlockState::data);
    CHECK(state(state_now, 3) == BlockState::zero);
    CHECK(state(state_now, 4) == BlockState::absent);
    CHECK(state_now->end.next.seq == 7);
    CHECK(state_now->last_change_seq == 6);
}

TEST_CASE(
    "D2: after a loss of power SET and ZERO beyond the last durable through_seq are dropped") {
    const auto lost = replay(Journaled().set(1).set(2).flushed(1).zero(1).set(3), "boot-2");
    CHECK(state(lost, 1) == BlockState::data);
    CHECK(state(lost, 2) == BlockState::absent);
    CHECK(state(lost, 3) == BlockState::absent);
    CHECK(lost->boot_id == "boot-1");
}

TEST_CASE("D2: FLUSHED covers only its through_seq, not the records written while the sync ran") {
    const auto lost = replay(Journaled().set(1).set(2).flushed(1), "boot-2");
    CHECK(state(lost, 1) == BlockState::data);
    CHECK(state(lost, 2) == BlockState::absent);
}

TEST_CASE("dropped records stay dropped after the next crash of the process") {
    // set(2) was dropped at boot-2; a FLUSHED of boot-2 covers its number, and it must not come
    // back.
    const auto kept =
        replay(Journaled().set(1).flushed(1).set(2).boot("boot-2").set(5).flushed(5), "boot-2");
    CHECK(state(kept, 1) == BlockState::data);
    CHECK(state(kept, 2) == BlockState::absent);
    CHECK(state(kept, 5) == BlockState::data);
    CHECK(kept->boot_id == "boot-2");
}

TEST_CASE("a seal makes everything before it count, on any boot, and nothing may follow") {
    const auto sealed = replay(Journaled().set(1).zero(2).freeze(), "boot-9");
    CHECK(state(sealed, 1) == BlockState::data);
    CHECK(state(sealed, 2) == BlockState::zero);
    CHECK(sealed->frozen);
    CHECK(replay(Journaled().set(1).freeze().set(2), "boot-1").error().code() == Code::data_loss);
}

TEST_CASE("damage in the middle is data loss on the same boot, and a torn end is not") {
    Journaled journal;
    journal.set(1).set(2).set(3);
    Journaled damaged = journal;
    damaged.bytes[40] ^= 1;  // in the second record
    CHECK(replay(damaged, "boot-1").error().code() == Code::data_loss);
    // After a loss of power the writes may have landed in any order.
    const auto torn = replay(damaged, "boot-2");
    REQUIRE(torn);
    CHECK(torn->end.leftovers_end == journal.bytes.size());
    Journaled cut = journal;
    cut.bytes.resize(cut.bytes.size() - 3);
    CHECK(state(replay(cut, "boot-1"), 2) == BlockState::data);
    CHECK(state(replay(cut, "boot-1"), 3) == BlockState::absent);
}

TEST_CASE(
    "a later record that says the damaged one had been durable makes it data loss on any boot") {
    Journaled damaged;
    damaged.set(1).set(2).set(3).flushed(3, 3);
    damaged.bytes[40] ^= 1;
    CHECK(replay(damaged, "boot-2").error().code() == Code::data_loss);
    Journaled unsynced;
    unsynced.set(1).set(2).set(3).flushed(3, 1);
    unsynced.bytes[40] ^= 1;
    CHECK(replay(unsynced, "boot-2"));
}

TEST_CASE("a journal that ends before the superblock's floor is damaged") {
    CHECK(replay(Journaled().set(1).set(2), "boot-1", 2));
    CHECK(replay(Journaled().set(1).set(2), "boot-1", 3).error().code() == Code::data_loss);
    CHECK(replay(Journaled(), "boot-1", 1).error().code() == Code::data_loss);
}

TEST_CASE("replay begins with the checkpointed presence, at the head") {
    Journaled journal;
    journal.set(1).set(2).zero(3).flushed(3);
    Superblock later = superblock();
    later.head = {
        .position = 8000, .seq = 3, .prev_crc = get_le<std::uint32_t>(&journal.bytes[52])};
    PresenceMap checkpointed(100, 64);
    checkpointed.set({1, 2}, BlockState::data);
    const auto state_now = replay_journal(later, std::move(checkpointed),
                                          ByteView(journal.bytes).subspan(64), "boot-1");
    CHECK(state(state_now, 2) == BlockState::data);
    CHECK(state(state_now, 3) == BlockState::zero);
    CHECK(state(state_now, 4) == BlockState::absent);
    CHECK(state_now->end.next.seq == 5);
    CHECK(state_now->end.next.position == 8000 + journal.bytes.size() - 64);
}

TEST_CASE("a checkpoint record behind a gap, newer than the superblock, is data loss on any boot") {
    for (const std::uint64_t generation : {1U, 2U}) {
        Journaled journal;
        journal.set(1).set(2).add({.type = RecordType::ckpt, .generation = generation});
        journal.bytes[40] ^= 1;
        const auto found = replay(journal, "boot-2");
        CHECK(found.has_value() == (generation == 1));
    }
    // Reached in the chain it only says that nothing is missing.
    CHECK(replay(Journaled().set(1).add({.type = RecordType::ckpt, .generation = 2}), "boot-2"));
}

TEST_CASE(
    "D2: data of the journal counts after a new start of the host, until it is in its place") {
    const Bytes one(kBlockBytes, 1);
    const Bytes two(kBlockBytes, 2);
    const auto ring_of = [](const Journaled& journal) {
        Bytes ring = journal.bytes;
        ring.resize(64 << 10);
        return ring;
    };
    const auto logged = [&](const Journaled& journal, const std::string& boot_id) {
        const Bytes ring = ring_of(journal);
        const auto found = replay_journal(superblock(0), PresenceMap(100, 64), ring, boot_id);
        REQUIRE_MESSAGE(found, found.error().to_string());
        std::vector<std::pair<std::uint64_t, int>> said;
        for (const auto& [block, data] : found->logged) {
            said.emplace_back(block, data[0]);
        }
        return said;
    };
    using Said = std::vector<std::pair<std::uint64_t, int>>;
    Journaled journal;
    journal.set(1).logged(1, 1, one);
    CHECK(logged(journal, "boot-2") == Said{{1, 1}});
    CHECK(logged(journal, "boot-1") == Said{});
    journal.logged(2, 1, two).set(3);
    CHECK(logged(journal, "boot-2") == Said{{1, 2}});
    journal.zero(1).logged(5, 2, one);
    CHECK(logged(journal, "boot-2") == Said{});  // 1 is zero, 2 was never said to be data
    journal.set(1).logged(7, 1, one).flushed(7);
    CHECK(logged(journal, "boot-2") == Said{});
    journal.logged(9, 1, two).boot("boot-2");
    CHECK(logged(journal, "boot-3") == Said{});
}
