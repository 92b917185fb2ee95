// SPDX-License-Identifier: Apache-2.0
// A whole block engine on one thread, on a simulated disk whose operations can be held and failed:
// VolumeOwner, an image tier on tiny geometry, contents in memory. Thread model: one owner thread.
#pragma once

#include <deque>
#include <numeric>

#include "block/detail/owner_group.h"
#include "block/tests/image_support.h"

namespace kiln::block::testing {

inline bool is_sync(const io::Op& op) {
    return op.kind == io::OpKind::sync || op.kind == io::OpKind::sync_data ||
           op.kind == io::OpKind::sync_dir;
}

// A write of which these bytes are part.
inline bool writes(const io::Op& op, std::string_view text) {
    return op.kind == io::OpKind::write &&
           std::string_view(reinterpret_cast<const char*>(op.data), op.length).find(text) !=
               std::string_view::npos;
}

class TestOwner {
  public:
    // With several owners they share the thread; a new volume goes to the one with the fewest.
    explicit TestOwner(TestReactor& with, std::size_t how_many = 1)
        : reactor(with), count(how_many), gate(with->io(), with->scheduler()), tier(with) {
        start();
    }
    ~TestOwner() { stop(); }
    void start() {
        shared.emplace(count);
        std::vector<OwnerGroup::Seat> seats;
        for (std::size_t number = 0; number < count; ++number) {
            owners.emplace_back(*shared, number, reactor->sockets(), contents,
                                LayerContext{.io = gate,
                                             .scheduler = reactor->scheduler(),
                                             .rng = rng,
                                             .directory = "/store",
                                             .store_uuid = "store",
                                             .boot_id = "boot-1",
                                             .geometry = kSmall},
                                ImageSide{tier.store, kTiny});
            seats.push_back({owners.back(), reactor->scheduler()});
        }
        group.emplace(shared->directory, std::move(seats));
    }
    void stop() {
        bool closed = false;
        group->close_all([&closed] { closed = true; });
        REQUIRE(reactor->run_until([&closed] { return closed; }, soon()));
        group.reset();
        owners.clear();
    }
    VolumeOwner* operator->() { return &owners.front(); }
    VolumeOwner& of(const std::string& id) { return group->of(VolumeId(id)).owner; }
    std::uint64_t cuts() const {
        return std::accumulate(owners.begin(), owners.end(), std::uint64_t{0},
                               [](std::uint64_t sum, const VolumeOwner& owner) {
                                   return sum + owner.counters().cuts;
                               });
    }
    Volume& volume(const std::string& id) {
        const auto found = of(id).find(VolumeId(id));
        REQUIRE_MESSAGE(found, found.error().to_string());
        return **found;
    }

    // Until nothing happens by itself any more.
    void settle() {
        (void)reactor->run_until([] { return false; }, soon());
    }
    // What start(done) completes with; empty until then.
    using Pending = std::shared_ptr<std::optional<Status>>;
    template <class Start>
    Pending begin(Start start) {
        auto result = std::make_shared<std::optional<Status>>();
        start(Done([result](Status status) { result->emplace(std::move(status)); }));
        return result;
    }
    Pending begin_write(const std::string& id, std::uint64_t block, std::uint8_t value) {
        auto data = std::make_shared<io::Buffer>(filled(1, value));
        return begin([&](Done done) {
            volume(id).write(
                block * kBlockBytes, data->view(), false,
                [data, done = std::move(done)](Status status) mutable { done(std::move(status)); });
        });
    }
    Pending begin_flush(const std::string& id) {
        return begin([&](Done done) { volume(id).flush(std::move(done)); });
    }
    Pending begin_cut(std::vector<CutMember> members, const std::string& set) {
        return begin([&](Done done) {
            group->cut(std::move(members), set, [this, done = std::move(done)](CutEnd end) mutable {
                cut_happened = end.happened;
                done(std::move(end.status));
            });
        });
    }
    Pending begin_close(const std::string& id) {
        return begin([&](Done done) { of(id).close(VolumeId(id), false, std::move(done)); });
    }

    Status open(const std::string& id, std::uint64_t bytes, const std::string& base,
                const std::string& active) {
        return reactor.await<void>([&](Done done) {
            group->place(VolumeId(id))
                .owner.open({VolumeId(id), bytes, ContentId(base), LayerId(active), true},
                            std::move(done));
        });
    }
    Status view(const std::string& name, const std::string& content) {
        return reactor.await<void>([&](Done done) {
            group->place(VolumeId(name))
                .owner.open_content(VolumeId(name), ContentId(content), std::move(done));
        });
    }
    Status close(const std::string& id) {
        return reactor.await<void>(
            [&](Done done) { of(id).close(VolumeId(id), false, std::move(done)); });
    }
    Status write(const std::string& id, std::uint64_t block, std::uint8_t value) {
        const auto pending = begin_write(id, block, value);
        settle();
        REQUIRE(pending->has_value());
        return **pending;
    }
    Result<Bytes> read(const std::string& id, std::uint64_t offset, std::uint64_t length) {
        Bytes into(length, 0xee);
        TRY(reactor.await<void>(
            [&](Done done) { volume(id).read(offset, into, std::move(done)); }));
        return into;
    }
    int first_byte(const std::string& id, std::uint64_t block) {
        const auto bytes = read(id, block * kBlockBytes, kBlockBytes);
        REQUIRE_MESSAGE(bytes, bytes.error().to_string());
        return (*bytes)[0];
    }
    Status cut(const std::string& id, const std::string& successor, const std::string& content,
               const std::string& set) {
        const auto cut = begin_cut({{VolumeId(id), LayerId(successor), ContentId(content)}}, set);
        REQUIRE(reactor->run_until([&] { return cut->has_value(); }, soon()));
        return **cut;
    }
    Result<std::optional<Freeze>> freeze_of(const std::string& layer) {
        return reactor.await<std::optional<Freeze>>(
            [&](auto done) { owners.front().freeze_of(LayerId(layer), std::move(done)); });
    }
    Status seal_layer(const std::string& layer, std::uint64_t bytes) {
        return reactor.await<void>(
            [&](Done done) { owners.front().seal_layer(LayerId(layer), bytes, std::move(done)); });
    }
    Status drop(const std::string& layer) {
        return reactor.await<void>(
            [&](Done done) { owners.front().drop_layer(LayerId(layer), std::move(done)); });
    }
    Result<DestagedContent> destage(const std::string& content) {
        return reactor.await<DestagedContent>(
            [&](auto done) { owners.front().destage(ContentId(content), 1, std::move(done)); });
    }
    Status rooted(const std::string& content) {
        return reactor.await<void>(
            [&](Done done) { group->content_rooted(ContentId(content), std::move(done)); });
    }
    // The row of a content.
    void add_content(const std::string& id, const std::string& parent, const std::string& layer,
                     std::uint64_t bytes) {
        ContentRecord record;
        record.id = ContentId(id);
        record.parent = ContentId(parent);
        record.layer = LayerId(layer);
        record.size_bytes = bytes;
        contents.records[record.id] = record;
    }
    // The transaction after a destage.
    void commit_root(const std::string& id, const DestagedContent& tree) {
        ContentRecord& record = contents.records.at(ContentId(id));
        record.state = ContentState::rooted;
        record.root_digest = tree.root_digest;
        record.parent = ContentId();
    }

    TestReactor& reactor;
    const std::size_t count;
    TestRng rng;
    GateIo gate;
    TestTier tier;
    TestContents contents;
    std::optional<EngineShared> shared;
    std::deque<VolumeOwner> owners;
    std::optional<OwnerGroup> group;
    bool cut_happened = false;  // of the last that ended
};

}  // namespace kiln::block::testing
