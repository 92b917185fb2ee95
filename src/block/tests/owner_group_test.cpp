// SPDX-License-Identifier: Apache-2.0
// Several owners as one engine: where volumes go, what a name means, cuts across owners, layers
// that several use, and the same with threads.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "block/detail/meeting.h"
#include "block/tests/data_crc_support.h"
#include "block/tests/nbd_client.h"
#include "block/tests/owner_support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kSize = 16 * kBlockBytes;

CutMember member(const char* volume, const char* successor, const char* content) {
    return {VolumeId(volume), LayerId(successor), ContentId(content)};
}

Code code(const TestOwner::Pending& pending) {
    REQUIRE(pending->has_value());
    return **pending ? Code::internal : (*pending)->error().code();
}

// Volume n with layer l-n, of an owner each.
void open_two(TestOwner& owner) {
    REQUIRE(owner.open("vol-1", kSize, "", "l-1"));
    REQUIRE(owner.open("vol-2", kSize, "", "l-2"));
    REQUIRE(&owner.of("vol-1") != &owner.of("vol-2"));
}

}  // namespace

TEST_CASE("a volume goes to the owner with the fewest, and stays there until it is released") {
    OwnerDirectory directory(3);
    const VolumeId a("vol-a");
    const VolumeId b("vol-b");
    const VolumeId c("vol-c");
    const VolumeId d("vol-d");
    CHECK(directory.place(a) == 2);
    CHECK(directory.place(b) == 1);
    CHECK(directory.place(c) == 0);
    CHECK(directory.place(d) == 2);
    CHECK(directory.place(a) == 2);
    CHECK(directory.owner_of(b) == 1);
    CHECK(directory.claim(b, 1));
    CHECK(!directory.claim(b, 0));
    directory.release(b, 0);  // not its owner
    CHECK(directory.owner_of(b) == 1);
    directory.release(b, 1);
    CHECK(!directory.owner_of(b));
    CHECK(directory.claim(b, 0));
    CHECK(directory.owner_of(b) == 0);
    CHECK(directory.place(VolumeId("vol-e")) == 1);
    CHECK(!directory.claim_path("/a", a));
    CHECK(directory.claim_path("/a", b) == a);
    directory.release_path("/a");
    CHECK(!directory.claim_path("/a", b));
}

TEST_CASE(
    "nobody goes on before all have come, and all with the first error; then there is a new "
    "round") {
    TestReactor reactor(1);
    io::Scheduler& scheduler = reactor->scheduler();
    Meeting meeting(3);
    std::vector<Code> gone;
    const auto go_on = [&](Status status) {
        gone.push_back(status ? Code::internal : status.error().code());
    };
    for (int round = 0; round < 2; ++round) {
        gone.clear();
        meeting.come(scheduler, ok(), go_on);
        meeting.come(scheduler, Error(Code::io_error, "first"), go_on);
        CHECK(!reactor->run_until([&] { return !gone.empty(); }, soon()));
        meeting.come(scheduler, Error(Code::data_loss, "second"), go_on);
        CHECK(gone.size() == 1);
        CHECK(reactor->run_until([&] { return gone.size() == 3; }, soon()));
        CHECK(gone == std::vector<Code>(3, Code::io_error));
    }
    gone.clear();
    for (int i = 0; i < 3; ++i) {
        meeting.come(scheduler, ok(), go_on);
    }
    CHECK(reactor->run_until([&] { return gone.size() == 3; }, soon()));
    CHECK(gone == std::vector<Code>(3, Code::internal));
}

TEST_CASE(
    "a part of a cut that cannot be made ends those of the other owners, and nothing changed") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        TestReactor reactor(seed);
        TestOwner owner(reactor, 2);
        open_two(owner);
        CHECK(owner.write("vol-1", 0, 'a'));
        // No such volume, one that writes to another layer, and a successor that is another's.
        auto wrong_layer = member("vol-2", "l-4", "content-2");
        wrong_layer.layer = LayerId("l-9");
        REQUIRE(owner.open("vol-3", kSize, "", "l-5"));
        CHECK(owner.close("vol-3"));
        const std::pair<CutMember, Code> refused[] = {
            {member("vol-9", "l-4", "content-2"), Code::failed_precondition},
            {wrong_layer, Code::failed_precondition},
            {member("vol-2", "l-5", "content-2"), Code::data_loss}};
        for (const auto& [bad, expected] : refused) {
            const auto cut = owner.begin_cut({member("vol-1", "l-3", "content-1"), bad}, "set-1");
            owner.settle();
            CHECK(code(cut) == expected);
            CHECK(owner.cuts() == 0);
            CHECK_FALSE(owner.cut_happened);
            CHECK(owner.volume("vol-1").stack()->sealed.empty());
            CHECK(owner.drop("l-3"));
            CHECK(owner.write("vol-1", 1, 'b'));
        }
        const auto twice = owner.begin_cut(
            {member("vol-1", "l-3", "content-1"), member("vol-2", "l-3", "content-2")}, "set-1");
        owner.settle();
        CHECK(code(twice) == Code::invalid_argument);
    }
}

TEST_CASE("a cut tells that it happened, though what it sealed was closed before it was over") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        TestReactor reactor(seed);
        TestOwner owner(reactor, 2);
        REQUIRE(owner.open("vol-1", kSize, "", "l-1"));
        REQUIRE(owner.open("vol-2", kSize, "", "l-2"));
        owner.gate.hold = [](const io::Op& op) { return writes(op, "set-1") && writes(op, "l-4"); };
        const auto cut = owner.begin_cut(
            {member("vol-1", "l-3", "content-1"), member("vol-2", "l-4", "content-2")}, "set-1");
        owner.settle();
        CHECK(owner.write("vol-1", 1, 'b'));
        CHECK(owner.close("vol-1"));
        CHECK(!cut->has_value());
        owner.gate.fail = is_sync;
        owner.gate.release();
        owner.settle();
        CHECK(code(cut) == Code::io_error);
        CHECK(owner.cut_happened);  // l-3 is nobody's now, and has what was written
    }
}

TEST_CASE("cuts with two owners in common come in one order, whatever the order of the members") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        TestReactor reactor(seed);
        TestOwner owner(reactor, 2);
        open_two(owner);
        const auto first = owner.begin_cut(
            {member("vol-1", "l-3", "content-1"), member("vol-2", "l-4", "content-2")}, "set-1");
        const auto second = owner.begin_cut(
            {member("vol-2", "l-6", "content-4"), member("vol-1", "l-5", "content-3")}, "set-2");
        const auto alone = owner.begin_cut({member("vol-2", "l-7", "content-5")}, "set-3");
        owner.settle();
        CHECK(code(first) == Code::internal);
        CHECK(code(second) == Code::internal);
        CHECK(code(alone) == Code::internal);
        CHECK(owner.cuts() == 3);
        CHECK(owner.freeze_of("l-2").value().value().set_id == "set-1");
        CHECK(owner.freeze_of("l-4").value().value().set_id == "set-2");
        CHECK(owner.freeze_of("l-6").value().value().set_id == "set-3");
    }
}

TEST_CASE("a layer is one thing for all owners: who writes to it, and who may drop it") {
    TestReactor reactor(1);
    TestOwner owner(reactor, 2);
    open_two(owner);
    CHECK(owner.write("vol-1", 0, 'a'));
    CHECK(owner.open("vol-3", kSize, "", "l-1").error().code() == Code::failed_precondition);
    for (const char* layer : {"l-1", "l-2"}) {
        CHECK(owner.drop(layer).error().code() == Code::failed_precondition);
        CHECK(owner.freeze_of(layer).error().code() == Code::failed_precondition);
    }
    REQUIRE(owner.cut("vol-1", "l-3", "content-1", "set-1"));
    owner.add_content("content-1", "", "l-1", kSize);
    REQUIRE(owner.view("view-1", "content-1"));
    REQUIRE(owner.view("view-2", "content-1"));
    REQUIRE(&owner.of("view-1") != &owner.of("view-2"));
    const auto tree = owner.destage("content-1");
    REQUIRE(tree);
    owner.commit_root("content-1", *tree);
    REQUIRE(owner.rooted("content-1"));
    CHECK(owner.close("view-1"));
    CHECK(owner.drop("l-1").error().code() == Code::failed_precondition);
    CHECK(owner.close("view-2"));
    owner.settle();
    CHECK(owner.drop("l-1").error().code() == Code::failed_precondition);  // the row names it
    owner.contents.records.at(ContentId("content-1")).layer = LayerId();
    REQUIRE(owner.rooted("content-1"));
    CHECK(owner.drop("l-1"));
    CHECK(owner.first_byte("vol-1", 0) == 'a');
}

TEST_CASE("data that gets check sums is compared with them by the volumes of all reactors") {
    TestEngine engine;
    REQUIRE(engine.open("vol-1", kSize));
    REQUIRE(engine->write(VolumeId("vol-1"), 0, Bytes(kBlockBytes, 'a'), soon()));
    REQUIRE(engine->seal_volume(VolumeId("vol-1"), soon()));
    ContentRecord record;
    record.id = ContentId("content-1");
    record.layer = LayerId("l-vol-1");
    record.size_bytes = kSize;
    engine.contents.records[record.id] = record;
    for (const char* look : {"look-1", "look-2"}) {
        REQUIRE(engine->open_content(VolumeId(look), record.id, soon()));
    }
    REQUIRE(engine->destage(record.id, 1, soon()));
    flip_byte(engine.options.directory + "/d-l-vol-1-0000.blk", 5);
    for (const char* look : {"look-1", "look-2"}) {
        CAPTURE(look);
        CHECK(engine->read(VolumeId(look), 0, kBlockBytes, soon()).error().code() ==
              Code::data_loss);
    }
}

TEST_CASE("names are one for all reactors: a volume is open once, a socket path exports one") {
    TestEngine engine;
    REQUIRE(engine.open("vol-1", kSize));
    REQUIRE(engine.open("vol-2", kSize));
    CHECK(engine.open("vol-1", kSize).error().code() == Code::failed_precondition);
    CHECK(engine->export_volume(VolumeId("vol-1"), engine.dir / "s", false, soon()));
    const Status other = engine->export_volume(VolumeId("vol-2"), engine.dir / "s", false, soon());
    CHECK(other.error().code() == Code::failed_precondition);
    CHECK(other.error().message().find("vol-1") != std::string::npos);
    CHECK(engine->close_volume(VolumeId("vol-1"), soon()));
    CHECK(engine->export_volume(VolumeId("vol-2"), engine.dir / "s", false, soon()));
    CHECK(engine->unexport_volume(VolumeId("vol-2"), engine.dir / "s", soon()));
    CHECK(engine->export_volume(VolumeId("vol-2"), engine.dir / "s", false, soon()));
    // An opening that failed leaves the name free.
    CHECK(!engine.open("vol-3", 1));
    CHECK(!engine->open_content(VolumeId("vol-4"), ContentId("content-x"), soon()));
    CHECK(engine.open("vol-3", kSize));
    CHECK(engine.open("vol-4", kSize));
}

TEST_CASE("an engine has 1 to 64 reactors") {
    for (const std::size_t count : {std::size_t{0}, kMaxReactors + 1}) {
        TestEngine engine;
        engine.options.reactors = count;
        const auto clock = io::make_system_clock();
        const auto rng = io::make_system_rng();
        const auto made =
            Engine::create(engine.options, engine.images.tier(), engine.contents, *clock, *rng);
        REQUIRE(!made);
        CHECK(made.error().code() == Code::invalid_argument);
    }
}

// What is written to the first volume, and acknowledged, before it is written to the second: a cut
// never has it of the second alone.
TEST_CASE("threads: a cut of volumes of several reactors keeps the order of what was written") {
    TestEngine engine;
    engine.options.reactors = 3;
    engine.restart();
    const std::vector<VolumeId> volumes{VolumeId("vol-1"), VolumeId("vol-2"), VolumeId("vol-3")};
    for (const VolumeId& volume : volumes) {
        REQUIRE(engine.open(volume.str(), kSize));
    }
    std::atomic<bool> stop = false;
    std::atomic<int> written = 0;
    std::thread writer([&] {
        for (std::uint32_t value = 1; !stop; ++value) {
            for (const VolumeId& volume : volumes) {
                Bytes bytes(kBlockBytes);
                put_le(bytes.data(), value);
                if (!engine->write(volume, 0, bytes, soon())) {
                    return;
                }
            }
            ++written;
        }
    });
    constexpr int kCuts = 20;
    for (int cut = 0; cut < kCuts; ++cut) {
        for (const int before = written; written < before + 2;) {
            std::this_thread::yield();
        }
        std::vector<CutMember> members;
        for (const VolumeId& volume : volumes) {
            const std::string name = volume.str() + "-" + std::to_string(cut);
            ContentRecord record;
            record.id = ContentId("content-" + name);
            record.parent =
                cut == 0 ? ContentId()
                         : ContentId("content-" + volume.str() + "-" + std::to_string(cut - 1));
            record.layer = cut == 0 ? LayerId("l-" + volume.str())
                                    : LayerId("l-" + volume.str() + "-" + std::to_string(cut - 1));
            record.size_bytes = kSize;
            engine.contents.records[record.id] = record;
            members.push_back({volume, LayerId("l-" + name), record.id});
        }
        const Status done =
            engine->cut_volumes(members, "set-" + std::to_string(cut), soon()).status;
        REQUIRE_MESSAGE(done, done.error().to_string());
    }
    stop = true;
    writer.join();
    CHECK(engine->counters().cuts == kCuts);
    for (int cut = 0; cut < kCuts; ++cut) {
        CAPTURE(cut);
        std::vector<std::uint32_t> values;
        for (const VolumeId& volume : volumes) {
            const VolumeId look("look-" + volume.str());
            const ContentId content("content-" + volume.str() + "-" + std::to_string(cut));
            REQUIRE(engine->open_content(look, content, soon()));
            const Bytes bytes = engine->read(look, 0, kBlockBytes, soon()).value();
            values.push_back(get_le<std::uint32_t>(bytes.data()));
            REQUIRE(engine->close_volume(look, soon()));
        }
        CHECK(values[0] >= values[1]);
        CHECK(values[1] >= values[2]);
        CHECK(values[2] + 1 >= values[0]);
        CHECK(values[2] > 0);
    }
}

TEST_CASE("VOL-14: a volume whose layer failed a sync tells of it until it is opened anew") {
    TestReactor reactor(1);
    TestOwner owner(reactor, 2);
    open_two(owner);
    const auto troubles = [&] {
        const auto told = reactor.await<std::vector<VolumeTrouble>>(
            [&](auto done) { owner.group->troubles(std::move(done)); });
        REQUIRE(told);
        return *told;
    };
    REQUIRE(owner.write("vol-1", 1, 'a'));
    REQUIRE(owner.write("vol-2", 1, 'b'));
    CHECK(troubles().empty());
    owner.gate.fail = is_sync;
    const auto flush = owner.begin_flush("vol-1");
    owner.settle();
    CHECK(code(flush) == Code::io_error);
    owner.gate.fail = nullptr;
    const auto told = troubles();
    REQUIRE(told.size() == 1);
    CHECK(told.front().volume == VolumeId("vol-1"));
    CHECK(told.front().stopped);
    CHECK(told.front().first.code() == Code::io_error);
    // It stays stopped, and nobody else is.
    CHECK(owner.write("vol-1", 2, 'c').error().code() == Code::io_error);
    CHECK(owner.first_byte("vol-2", 1) == 'b');
    CHECK(!owner.close("vol-1"));
    CHECK(troubles().empty());
    REQUIRE(owner.open("vol-1", kSize, "", "l-1"));
    CHECK(owner.write("vol-1", 2, 'd'));
    CHECK(owner.first_byte("vol-1", 2) == 'd');
    CHECK(troubles().empty());
}
