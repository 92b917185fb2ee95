// SPDX-License-Identifier: Apache-2.0
// What becomes of open volumes when a content becomes a tree, and of a destage that is not left
// alone, on a simulated disk whose operations, and a catalog whose answers, can be held.
#include <doctest/doctest.h>

#include "block/tests/owner_support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kBytes = 8 * kBlockBytes;

// vol-1, active l-2, on content-1 with the layer l-1, whose first block is 'a'.
void cut_once(TestOwner& owner) {
    REQUIRE(owner.open("vol-1", kBytes, "", "l-1"));
    CHECK(owner.write("vol-1", 0, 'a'));
    REQUIRE(owner.cut("vol-1", "l-2", "content-1", "set-1"));
    owner.add_content("content-1", "", "l-1", kBytes);
}

// content-1 becomes a tree, and its layer is named no more.
void root_it(TestOwner& owner) {
    const auto tree = owner.destage("content-1");
    REQUIRE(tree);
    owner.commit_root("content-1", *tree);
    owner.contents.records.at(ContentId("content-1")).layer = LayerId();
}

TestOwner::Pending begin_rooted(TestOwner& owner) {
    return owner.begin(
        [&](Done done) { owner.group->content_rooted(ContentId("content-1"), std::move(done)); });
}

}  // namespace

TEST_CASE("reads and writes in flight end on the old stack when a content becomes a tree") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        TestReactor reactor(seed);
        TestOwner owner(reactor);
        cut_once(owner);
        root_it(owner);
        // A read of the layer that is about to go, held on the device.
        owner.gate.hold = [](const io::Op& op) {
            return op.kind == io::OpKind::read && op.length == kBlockBytes;
        };
        auto into = std::make_shared<io::Buffer>(std::size_t{kBlockBytes});
        const auto read = owner.begin([&](Done done) {
            owner.volume("vol-1").read(0, into->mutable_view(), std::move(done));
        });
        owner.settle();
        REQUIRE(owner.gate.held.size() == 2);  // the data, and the header of its check sums
        const auto rooted = begin_rooted(owner);
        owner.settle();
        CHECK(!read->has_value());
        CHECK(!rooted->has_value());  // the layer is still in use
        CHECK(owner.volume("vol-1").stack()->sealed.empty());
        CHECK(owner.drop("l-1").error().code() == Code::failed_precondition);
        CHECK(owner.first_byte("vol-1", 0) == 'a');  // from the tree already
        owner.gate.release();
        owner.settle();
        REQUIRE(read->has_value());
        CHECK((*read)->has_value());
        CHECK(into->data()[0] == 'a');
        REQUIRE(rooted->has_value());
        CHECK((*rooted)->has_value());
        CHECK(owner.drop("l-1"));
        CHECK(owner.first_byte("vol-1", 0) == 'a');
    }
}

TEST_CASE("one destage at a time; it uses its layers, is cancelled, and ends with the engine") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        TestReactor reactor(seed);
        TestOwner owner(reactor);
        constexpr std::uint64_t kLarge = 32 * kBlockBytes;
        REQUIRE(owner.open("vol-1", kLarge, "", "l-1"));
        for (std::uint64_t block = 0; block < 32; ++block) {
            CHECK(owner.write("vol-1", block, static_cast<std::uint8_t>(block + 1)));
        }
        REQUIRE(owner.cut("vol-1", "l-2", "content-1", "set-1"));
        owner.add_content("content-1", "", "l-1", kLarge);
        REQUIRE(owner.close("vol-1"));
        // Held in its first read.
        owner.gate.hold = [](const io::Op& op) {
            return op.kind == io::OpKind::read && op.length >= 16 * kBlockBytes;
        };
        std::optional<Result<DestagedContent>> tree;
        const auto begin = [&] {
            tree.reset();
            owner->destage(ContentId("content-1"), 1,
                           [&](Result<DestagedContent> result) { tree = std::move(result); });
            owner.settle();
            REQUIRE(!tree);
            REQUIRE(!owner.gate.held.empty());
        };
        begin();
        CHECK(owner.destage("content-1").error().code() == Code::failed_precondition);
        CHECK(owner.drop("l-1").error().code() == Code::failed_precondition);
        owner->cancel_destage();
        owner.gate.release([](const io::Op&) { return true; });
        owner.settle();
        REQUIRE(tree);
        CHECK(tree->error().code() == Code::cancelled);
        begin();
        bool closed = false;
        owner.group->close_all([&closed] { closed = true; });
        owner.settle();
        CHECK(!closed);
        owner.gate.release();
        owner.settle();
        CHECK(closed);
        REQUIRE(tree);
        CHECK(tree->error().code() == Code::cancelled);
        // From the beginning.
        const auto again = owner.destage("content-1");
        REQUIRE(again);
        CHECK(again->chunks_written + again->chunks_hit == 32);
        CHECK(owner.drop("l-1"));
    }
}

TEST_CASE("a volume that is cut while its chain is asked for gets its stack from the new chain") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        TestReactor reactor(seed);
        TestOwner owner(reactor);
        cut_once(owner);
        CHECK(owner.write("vol-1", 1, 'b'));
        root_it(owner);
        owner.contents.late = true;
        const auto rooted = begin_rooted(owner);
        owner.settle();
        REQUIRE(owner.contents.waiting.size() == 1);  // the chain of content-1 alone
        owner.add_content("content-2", "content-1", "l-2", kBytes);
        REQUIRE(owner.cut("vol-1", "l-3", "content-2", "set-2"));
        CHECK(owner.write("vol-1", 2, 'c'));
        owner.contents.late = false;
        owner.contents.answer();
        owner.settle();
        REQUIRE(rooted->has_value());
        CHECK((*rooted)->has_value());
        const Stack& stack = *owner.volume("vol-1").stack();
        CHECK(stack.sealed.size() == 1);  // l-2, and no longer l-1
        CHECK(stack.base != nullptr);
        CHECK(owner.first_byte("vol-1", 0) == 'a');
        CHECK(owner.first_byte("vol-1", 1) == 'b');
        CHECK(owner.first_byte("vol-1", 2) == 'c');
        CHECK(owner.drop("l-1"));
        CHECK(owner.drop("l-2").error().code() == Code::failed_precondition);
    }
}

TEST_CASE(
    "a volume that was told the old chain while it opened is given the tree before the layer "
    "goes") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        TestReactor reactor(seed);
        TestOwner owner(reactor);
        cut_once(owner);
        REQUIRE(owner.close("vol-1"));
        owner.contents.late = true;
        const auto opened = owner.begin([&](Done done) {
            owner.group->place(VolumeId("vol-2"))
                .owner.open(
                    {VolumeId("vol-2"), kBytes, ContentId("content-1"), LayerId("l-9"), true},
                    std::move(done));
        });
        owner.settle();
        REQUIRE(owner.contents.waiting.size() == 1);
        owner.contents.late = false;
        root_it(owner);
        const auto rooted = begin_rooted(owner);
        owner.settle();
        CHECK(!rooted->has_value());
        owner.contents.answer();
        owner.settle();
        REQUIRE(opened->has_value());
        CHECK((*opened)->has_value());
        REQUIRE(rooted->has_value());
        CHECK((*rooted)->has_value());
        CHECK(owner.volume("vol-2").stack()->sealed.empty());
        CHECK(owner.drop("l-1"));
        CHECK(owner.first_byte("vol-2", 0) == 'a');
    }
}

TEST_CASE("a volume whose new chain cannot be read keeps the stack it has") {
    TestReactor reactor(5);
    TestOwner owner(reactor);
    cut_once(owner);
    root_it(owner);
    owner.contents.records.at(ContentId("content-1")).root_digest = std::string(64, 'e');
    const Status status = owner.rooted("content-1");
    REQUIRE(!status);
    CHECK(status.error().code() == Code::data_loss);
    CHECK(owner.first_byte("vol-1", 0) == 'a');
    CHECK(owner.drop("l-1").error().code() == Code::failed_precondition);
    CHECK(owner.close("vol-1"));
}
