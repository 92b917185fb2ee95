// SPDX-License-Identifier: Apache-2.0
// The cut of open volumes (D7), on a simulated disk whose operations are held one by one: what the
// pause waits for, whom a flush covers, in which order layers are sealed, what an error leaves.
#include <doctest/doctest.h>

#include "block/tests/owner_support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kBytes = 16 * kBlockBytes;

CutMember member(const char* volume, const char* successor, const char* content) {
    return {VolumeId(volume), LayerId(successor), ContentId(content)};
}

Code code(const std::shared_ptr<std::optional<Status>>& pending) {
    REQUIRE(pending->has_value());
    return **pending ? Code::internal : (*pending)->error().code();
}

std::string block_of(char value) {
    return std::string(kBlockBytes, value);
}

}  // namespace

TEST_CASE("the pause of a cut holds no flush: writes go on while every sync hangs") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        TestReactor reactor(seed);
        TestOwner owner(reactor);
        REQUIRE(owner.open("vol-1", kBytes, "", "l-1"));
        CHECK(owner.write("vol-1", 0, 'a'));
        // Two writes are on their way when the cut comes; it can flush before, not swap.
        owner.gate.hold = [](const io::Op& op) {
            return writes(op, block_of('b')) || writes(op, block_of('c'));
        };
        const auto early = owner.begin_write("vol-1", 1, 'b');
        const auto late = owner.begin_write("vol-1", 2, 'c');
        owner.settle();
        const auto cut = owner.begin_cut({member("vol-1", "l-2", "content-1")}, "set-1");
        owner.settle();
        REQUIRE(owner.gate.held.size() == 2);
        const auto held_back = owner.begin_write("vol-1", 3, 'd');
        owner.settle();
        CHECK(!held_back->has_value());
        CHECK(owner.cuts() == 0);
        // One of them completes, and a flush that has to cover it hangs in its sync.
        owner.gate.hold = [](const io::Op& op) { return is_sync(op); };
        owner.gate.release([](const io::Op& op) { return writes(op, block_of('b')); });
        owner.settle();
        CHECK(early->has_value());
        const auto flush_before = owner.begin_flush("vol-1");
        owner.settle();
        REQUIRE(owner.gate.held.size() == 2);  // the other write, and the sync
        // The last write completes: the swap happens, with no sync done meanwhile.
        owner.gate.release([](const io::Op& op) { return op.kind == io::OpKind::write; });
        owner.settle();
        CHECK(late->has_value());
        CHECK(owner.cuts() == 1);
        CHECK(held_back->has_value());
        CHECK(!flush_before->has_value());
        CHECK(!cut->has_value());
        CHECK(owner.volume("vol-1").stack()->unsealed == 1);
        CHECK(owner.volume("vol-1").stack()->sealed.size() == 1);
        CHECK(owner.first_byte("vol-1", 2) == 'c');
        CHECK(owner.first_byte("vol-1", 3) == 'd');
        // A flush that comes now covers the layer being sealed before it looks at the new one.
        const auto flush_after = owner.begin_flush("vol-1");
        owner.settle();
        CHECK(!flush_after->has_value());
        CHECK(owner.gate.held.size() == 1);
        const auto old_layer = owner.gate.held.front().first.file;
        owner.gate.release([](const io::Op&) { return true; });
        owner.settle();
        // The old layer's data is there; its journal is next, and nothing of the new one.
        REQUIRE(!owner.gate.held.empty());
        CHECK(owner.gate.held.size() == 1);
        CHECK(owner.gate.held.front().first.file != old_layer);
        CHECK(!flush_after->has_value());
        owner.gate.release();
        owner.settle();
        CHECK(code(flush_before) == Code::internal);
        CHECK(code(flush_after) == Code::internal);
        CHECK(code(cut) == Code::internal);
        CHECK(owner.volume("vol-1").stack()->unsealed == 0);
        CHECK(owner.freeze_of("l-2").error().code() == Code::failed_precondition);
        CHECK(owner.freeze_of("l-1").value().has_value());
        CHECK(owner.close("vol-1"));
        const auto freeze = owner.freeze_of("l-1");
        REQUIRE_MESSAGE(freeze, freeze.error().to_string());
        REQUIRE(freeze->has_value());
        CHECK((*freeze)->set_id == "set-1");
        CHECK((*freeze)->successor == "l-2");
        CHECK(owner.freeze_of("l-2").value() == std::nullopt);
    }
}

TEST_CASE("several volumes are cut at one instant: the slowest write holds all of them back") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        TestReactor reactor(seed);
        TestOwner owner(reactor, 1 + seed % 2);
        REQUIRE(owner.open("vol-1", kBytes, "", "l-1"));
        REQUIRE(owner.open("vol-2", 2 * kBytes, "", "l-2"));
        CHECK((&owner.of("vol-1") == &owner.of("vol-2")) == (seed % 2 == 0));
        owner.gate.hold = [](const io::Op& op) { return writes(op, block_of('x')); };
        const auto slow = owner.begin_write("vol-2", 0, 'x');
        const auto cut = owner.begin_cut(
            {member("vol-1", "l-3", "content-1"), member("vol-2", "l-4", "content-2")}, "set-1");
        owner.settle();
        const auto other = owner.begin_write("vol-1", 0, 'y');
        owner.settle();
        CHECK(!other->has_value());
        CHECK(!slow->has_value());
        CHECK(owner.cuts() == 0);
        owner.gate.release();
        owner.settle();
        CHECK(owner.cuts() == 1);
        CHECK(code(cut) == Code::internal);
        CHECK(code(other) == Code::internal);
        owner.add_content("content-1", "", "l-1", kBytes);
        owner.add_content("content-2", "", "l-2", 2 * kBytes);
        CHECK(owner.view("view-1", "content-1"));
        CHECK(owner.view("view-2", "content-2"));
        CHECK(owner.first_byte("view-1", 0) == 0);  // after the instant
        CHECK(owner.first_byte("view-2", 0) == 'x');
        CHECK(owner.first_byte("vol-1", 0) == 'y');
    }
}

TEST_CASE("a volume is cut again while its layer is still being sealed, and closed meanwhile") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        TestReactor reactor(seed);
        TestOwner owner(reactor);
        REQUIRE(owner.open("vol-1", kBytes, "", "l-1"));
        CHECK(owner.write("vol-1", 0, 'a'));
        bool second_seal = false;
        owner.gate.hold = [&](const io::Op& op) {
            second_seal = second_seal || writes(op, "set-2");
            return writes(op, "set-1");
        };
        const auto first = owner.begin_cut({member("vol-1", "l-2", "content-1")}, "set-1");
        owner.settle();
        CHECK(owner.cuts() == 1);
        CHECK(owner.write("vol-1", 1, 'b'));
        const auto second = owner.begin_cut({member("vol-1", "l-3", "content-2")}, "set-2");
        owner.settle();
        CHECK(owner.cuts() == 2);
        CHECK(owner.volume("vol-1").stack()->unsealed == 2);
        CHECK(owner.write("vol-1", 2, 'c'));
        CHECK(!first->has_value());
        CHECK(!second->has_value());
        CHECK(!second_seal);  // oldest first
        const auto closed = owner.begin_close("vol-1");
        owner.settle();
        CHECK(!closed->has_value());
        const auto late = owner.begin_cut({member("vol-1", "l-4", "content-3")}, "set-3");
        owner.settle();
        CHECK(code(late) == Code::failed_precondition);
        owner.gate.hold = nullptr;
        owner.gate.release();
        owner.settle();
        CHECK(code(first) == Code::internal);
        CHECK(code(second) == Code::internal);
        CHECK(code(closed) == Code::internal);
        CHECK(owner.freeze_of("l-1").value().value().successor == "l-2");
        CHECK(owner.freeze_of("l-2").value().value().set_id == "set-2");
        owner.add_content("content-1", "", "l-1", kBytes);
        owner.add_content("content-2", "content-1", "l-2", kBytes);
        REQUIRE(owner.open("vol-1", kBytes, "content-2", "l-3"));
        CHECK(owner.first_byte("vol-1", 0) == 'a');
        CHECK(owner.first_byte("vol-1", 1) == 'b');
        CHECK(owner.first_byte("vol-1", 2) == 'c');
        CHECK(owner.view("view-1", "content-1"));
        CHECK(owner.first_byte("view-1", 1) == 0);
    }
}

TEST_CASE("cuts of one volume come in the order of the calls, whatever the others wait for") {
    TestReactor reactor(7);
    TestOwner owner(reactor);
    for (const char* id : {"1", "2", "3"}) {
        REQUIRE(owner.open(std::string("vol-") + id, kBytes, "", std::string("l-") + id));
    }
    owner.gate.hold = [](const io::Op& op) { return writes(op, block_of('x')); };
    const auto slow = owner.begin_write("vol-1", 0, 'x');
    const auto first = owner.begin_cut(
        {member("vol-1", "l-11", "content-11"), member("vol-2", "l-12", "content-12")}, "set-1");
    const auto second = owner.begin_cut({member("vol-2", "l-22", "content-22")}, "set-2");
    const auto free = owner.begin_cut({member("vol-3", "l-33", "content-33")}, "set-3");
    owner.settle();
    CHECK(code(free) == Code::internal);
    CHECK(!first->has_value());
    CHECK(!second->has_value());
    owner.gate.release();
    owner.settle();
    CHECK(slow->has_value());
    CHECK(code(first) == Code::internal);
    CHECK(code(second) == Code::internal);
    CHECK(owner.close("vol-2"));
    CHECK(owner.freeze_of("l-2").value().value().successor == "l-12");
    CHECK(owner.freeze_of("l-12").value().value().successor == "l-22");
}

TEST_CASE("a layer that cannot be sealed keeps its volume from further cuts until it is repaired") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        TestReactor reactor(seed);
        TestOwner owner(reactor);
        REQUIRE(owner.open("vol-1", kBytes, "", "l-1"));
        CHECK(owner.write("vol-1", 0, 'a'));
        owner.gate.fail = [](const io::Op& op) { return writes(op, "set-1"); };
        const auto cut = owner.begin_cut({member("vol-1", "l-2", "content-1")}, "set-1");
        owner.settle();
        CHECK(code(cut) == Code::io_error);
        owner.gate.fail = nullptr;
        CHECK(owner.cuts() == 1);  // the instant was
        CHECK(owner.cut_happened);
        CHECK(owner.write("vol-1", 1, 'b'));
        const auto flush = owner.begin_flush("vol-1");
        owner.settle();
        CHECK(code(flush) == Code::io_error);  // it cannot vouch for what is below
        const auto again = owner.begin_cut({member("vol-1", "l-3", "content-2")}, "set-2");
        owner.settle();
        CHECK(code(again) == Code::failed_precondition);
        CHECK(owner.cuts() == 1);
        CHECK_FALSE(owner.cut_happened);
        CHECK(owner.freeze_of("l-1").error().code() == Code::failed_precondition);
        CHECK(owner.seal_layer("l-1", kBytes).error().code() == Code::failed_precondition);
        CHECK(owner.drop("l-1").error().code() == Code::failed_precondition);
        CHECK(owner.close("vol-1").error().code() == Code::io_error);
        CHECK(owner.freeze_of("l-1").value() == std::nullopt);
        owner.add_content("content-1", "", "l-1", kBytes);
        CHECK(owner.open("vol-1", kBytes, "content-1", "l-2").error().code() ==
              Code::failed_precondition);
        CHECK(owner.seal_layer("l-1", kBytes + 4096).error().code() == Code::data_loss);
        CHECK(owner.seal_layer("l-1", kBytes));
        CHECK(owner.seal_layer("l-1", kBytes));  // again is fine
        CHECK(owner.freeze_of("l-1").value().value().set_id.empty());
        REQUIRE(owner.open("vol-1", kBytes, "content-1", "l-2"));
        CHECK(owner.first_byte("vol-1", 0) == 'a');
        CHECK(owner.first_byte("vol-1", 1) == 'b');
        CHECK(owner.cut("vol-1", "l-3", "content-2", "set-3"));
    }
}

TEST_CASE("what is wrong with a cut shows before its instant and changes nothing") {
    TestReactor reactor(3);
    TestOwner owner(reactor);
    REQUIRE(owner.open("vol-1", kBytes, "", "l-1"));
    REQUIRE(owner.open("vol-2", kBytes, "", "l-2"));
    CHECK(owner.write("vol-1", 0, 'a'));
    const auto attempt = [&](std::vector<CutMember> members, const std::string& set = "set-1") {
        const auto pending = owner.begin_cut(std::move(members), set);
        owner.settle();
        return code(pending);
    };
    CHECK(attempt({}) == Code::invalid_argument);
    CHECK(attempt({member("vol-1", "l-3", "c")}, "../set") == Code::invalid_argument);
    CHECK(attempt({member("vol-1", "../l", "c")}) == Code::invalid_argument);
    CHECK(attempt({member("vol-1", "l-3", "")}) == Code::invalid_argument);
    CHECK(attempt({member("vol-9", "l-3", "c")}) == Code::failed_precondition);
    CHECK(attempt({member("vol-1", "l-3", "c"), member("vol-1", "l-4", "c")}) ==
          Code::invalid_argument);
    CHECK(attempt({member("vol-1", "l-3", "c"), member("vol-2", "l-3", "c")}) ==
          Code::invalid_argument);
    CHECK(attempt({member("vol-1", "l-2", "c")}) == Code::failed_precondition);
    CHECK(attempt({member("vol-1", "l-1", "c")}) == Code::failed_precondition);
    // A successor of another volume, and one with data in it.
    CHECK(owner.close("vol-2"));
    CHECK(attempt({member("vol-1", "l-2", "c")}) == Code::data_loss);
    REQUIRE(owner.open("vol-3", kBytes, "", "l-3"));
    CHECK(owner.close("vol-3"));
    REQUIRE(owner.open("vol-3", kBytes, "", "l-4"));
    CHECK(attempt({member("vol-1", "l-5", "c"), member("vol-3", "l-3", "c")}) == Code::internal);
    CHECK(owner.cuts() == 1);
    REQUIRE(owner.open("vol-4", kBytes, "", "l-6"));
    CHECK(owner.write("vol-4", 0, 'z'));
    CHECK(owner.close("vol-4"));
    REQUIRE(owner.open("vol-4", kBytes, "", "l-7"));
    CHECK(attempt({member("vol-1", "l-8", "c"), member("vol-4", "l-6", "c")}) ==
          Code::failed_precondition);
    // A flush that fails: the volume is as it was, and the layer that failed says so.
    CHECK(owner.write("vol-1", 1, 'b'));
    owner.gate.fail = [](const io::Op& op) { return op.kind == io::OpKind::sync_data; };
    CHECK(attempt({member("vol-4", "l-10", "c"), member("vol-1", "l-9", "c")}) == Code::io_error);
    owner.gate.fail = nullptr;
    CHECK(owner.cuts() == 1);
    CHECK(owner.volume("vol-1").stack()->sealed.size() == 1);
    CHECK(owner.write("vol-4", 1, 'y'));
    CHECK(attempt({member("vol-4", "l-11", "c")}) == Code::internal);
    CHECK(owner.first_byte("vol-4", 1) == 'y');
}
