// SPDX-License-Identifier: Apache-2.0
// What the journal promises beside its format: one sync at a time, a ring that is used again and
// grows, and what waits for room.
#include "block/detail/journal.h"

#include <doctest/doctest.h>

#include "block/detail/retained_writes.h"
#include "block/tests/support.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

struct Setup {
    TempDir dir;
    TestReactor reactor;
    GateIo gate{reactor->io(), reactor->scheduler()};
    io::FileId file;
    std::unique_ptr<Journal> journal;
    std::uint64_t acknowledged = 0;
    std::uint64_t refused = 0;

    explicit Setup(std::uint64_t max_ring = 8192) {
        const auto opened = reactor.await<std::uint64_t>([&](auto done) {
            gate.submit(io::Op::open(dir / "j", {.write = true, .create = true}), std::move(done));
        });
        REQUIRE(opened);
        file = io::FileId{static_cast<std::int64_t>(*opened)};
        journal = std::make_unique<Journal>(
            gate, reactor->scheduler(),
            Journal::Options{.file = file,
                             .ring_bytes = 2048,
                             .max_ring_bytes = max_ring,
                             .head = 0,
                             .next = {.position = 0, .seq = 1, .prev_crc = 5},
                             .last_change_seq = 0});
    }
    ~Setup() {
        CHECK(reactor.await<std::uint64_t>(
            [&](auto done) { gate.submit(io::Op::close(file), std::move(done)); }));
    }
    void set(std::uint64_t block) {
        journal->append_runs(RecordType::set, {{block, 1}},
                             [this](Status status) { ++(status ? acknowledged : refused); });
    }
    // One record each: what waits for the same write would share one.
    void fill(std::uint64_t records) {
        for (std::uint64_t i = 0; i < records; ++i) {
            const std::uint64_t before = acknowledged;
            set(2 * i);
            REQUIRE(reactor->run_until([&] { return acknowledged > before; }, soon()));
        }
    }
    Bytes ring() const {
        const auto text = read_file(dir / "j");
        REQUIRE(text);
        Bytes bytes(as_bytes(*text).begin(), as_bytes(*text).end());
        bytes.erase(bytes.begin(), bytes.begin() + kJournalHeaderBytes);
        bytes.resize(journal->ring_bytes(), 0);
        return bytes;
    }
};

constexpr std::uint64_t kRecord = 32;

}  // namespace

TEST_CASE("one sync of the journal runs at a time, and a failed one fails those that wait") {
    // Found by the simulation: a sync beside one that fails may succeed for what the other lost.
    Setup s;
    s.fill(1);
    s.gate.hold = [](const io::Op& op) { return op.kind == io::OpKind::sync_data; };
    std::vector<Status> answers;
    const auto answer = [&](Status status) { answers.push_back(std::move(status)); };
    s.journal->sync(answer);
    s.journal->sync(answer);
    CHECK(s.gate.held.size() == 1);
    SUBCASE("that succeeds") {
        s.gate.release();
        CHECK(s.reactor->run_until([&] { return answers.size() == 2; }, soon()));
        CHECK(answers[0]);
        CHECK(answers[1]);
        CHECK(s.gate.counts[io::OpKind::sync_data] == 2);
        CHECK(s.journal->synced_seq() == 1);
    }
    SUBCASE("that fails") {
        auto held = std::move(s.gate.held);
        s.gate.held.clear();
        held[0].second(Error(Code::io_error, "injected"));
        CHECK(answers.size() == 2);
        CHECK(!answers[0]);
        CHECK(!answers[1]);
        CHECK(s.gate.counts[io::OpKind::sync_data] == 1);
        CHECK(s.journal->synced_seq() == 0);
        s.set(7);
        CHECK(s.reactor->run_until([&] { return s.refused == 1; }, soon()));
    }
}

TEST_CASE("what finds no room waits in order, and goes on when the head has moved") {
    Setup s;
    const std::uint64_t fit = s.journal->room() / kRecord;
    s.fill(fit);
    CHECK(!s.journal->waiting());
    s.set(1001);
    s.set(1003);
    CHECK(s.journal->waiting());
    // The reserve is for other records.
    bool flushed = false;
    s.journal->append({.type = RecordType::flushed, .through_seq = 1},
                      [&](Status status) { flushed = status.has_value(); });
    CHECK(s.reactor->run_until([&] { return flushed; }, soon()));
    CHECK(s.acknowledged == fit);
    SUBCASE("freed") {
        s.journal->advance(4 * kRecord, 2048);
        s.journal->admit_waiting();
        CHECK(s.reactor->run_until([&] { return s.acknowledged == fit + 2; }, soon()));
        CHECK(!s.journal->waiting());
    }
    SUBCASE("refused") {
        s.journal->refuse_waiting(Error(Code::out_of_space, "full"));
        CHECK(s.reactor->run_until([&] { return s.refused == 2; }, soon()));
        CHECK(s.journal->written().seq == fit + 2);
    }
}

TEST_CASE("records go on at the ring's start, and read back across its end") {
    Setup s;
    JournalPosition head{.position = 0, .seq = 1, .prev_crc = 5};
    for (int lap = 0; lap < 40; ++lap) {
        s.fill(7);
        std::vector<Record> seen;
        JournalPosition from = head;
        from.position = s.journal->place(head.position);
        const auto end = scan_journal(s.ring(), from, 5000, [&](const Record& record) {
            seen.push_back(record);
            return ok();
        });
        REQUIRE(end);
        REQUIRE(seen.size() == 7);
        CHECK(seen.front().seq == head.seq);
        CHECK(seen.back().runs == std::vector<BlockRange>{{12, 1}});
        CHECK(end->leftovers_end == 0);
        head = s.journal->written();
        s.journal->advance(head.position, 2048);
    }
}

TEST_CASE("the ring grows only where the records that stay do not lie across its end") {
    Setup s;
    CHECK(s.journal->larger_ring(false) == 4096);
    s.fill(40);
    CHECK(s.journal->stay_in_lap(30 * kRecord));
    CHECK(s.journal->staying_in_lap());
    s.journal->advance(30 * kRecord, 4096);
    CHECK(s.journal->used() == 10 * kRecord);
    s.fill(60);
    const std::uint64_t head = s.journal->head();
    std::size_t seen = 0;
    bool chained = true;
    JournalPosition from{.position = 0, .seq = 1, .prev_crc = 5};
    // Nothing was overwritten yet, so the chain from the start is whole.
    CHECK(head == 30 * kRecord);
    const auto end = scan_journal(s.ring(), from, 5000, [&](const Record&) {
        ++seen;
        return ok();
    });
    chained = end.has_value();
    CHECK(chained);
    CHECK(seen == 100);
    // Near its end, and behind: no.
    s.journal->advance(s.journal->written().position, 4096);
    CHECK(!s.journal->stay_in_lap(s.journal->head()));
    CHECK(!s.journal->staying_in_lap());
}

TEST_CASE("a change that no ring could hold is refused at once") {
    Setup s(2048);
    std::vector<BlockRange> runs;
    for (std::uint64_t i = 0; i < 200; ++i) {
        runs.push_back({2 * i, 1});
    }
    bool refused = false;
    s.journal->append_runs(RecordType::set, runs, [&](Status status) {
        refused = !status && status.error().code() == Code::out_of_space;
    });
    CHECK(s.reactor->run_until([&] { return refused; }, soon()));
}

TEST_CASE("what might be taken for a record is told from other bytes") {
    Bytes block(kBlockBytes, 0);
    CHECK(!may_hold_record(block));
    CHECK(!may_hold_record(Bytes(kBlockBytes, 0x01)));
    CHECK(!may_hold_record(Bytes(kBlockBytes, 0xff)));
    Bytes record;
    JournalPosition next{.position = 0, .seq = 9, .prev_crc = 5};
    append_record(RecordType::flushed, Bytes(16, 3), next, record);
    const auto with = [&](std::size_t at, ByteView part) {
        Bytes one = block;
        std::copy(part.begin(), part.end(), one.begin() + static_cast<std::ptrdiff_t>(at));
        return may_hold_record(one);
    };
    for (const std::size_t at : {std::size_t{0}, std::size_t{8}, kBlockBytes - record.size()}) {
        CHECK(with(at, record));
    }
    CHECK(!with(4, record));
    // The rest of it might be in what follows.
    CHECK(with(kBlockBytes - 24, ByteView(record).first(24)));
    CHECK(with(kBlockBytes - 16, ByteView(record).first(16)));
    Bytes wrong = record;
    wrong[30] ^= 1;
    CHECK(!with(0, wrong));
    // Too many to look at them all.
    block.clear();
    while (block.size() < kBlockBytes) {
        block.insert(block.end(), wrong.begin(), wrong.end());
    }
    block.resize(kBlockBytes, 0);
    CHECK(may_hold_record(block));
}

TEST_CASE(
    "a block whose number might be taken for a part of a record is not kept for the journal") {
    RetainedWrites kept;
    kept.begin();
    const Bytes data(2 * kBlockBytes, 1);
    CHECK(kept.hold({(1ULL << 32) - 2, 2}, data));
    CHECK(!kept.hold({(1ULL << 32) - 1, 2}, data));
}
