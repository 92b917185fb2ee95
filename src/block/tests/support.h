// SPDX-License-Identifier: Apache-2.0
// What the tests of block share: a store of layers in a temporary directory on small geometry, and
// an Io that holds or fails chosen operations. Thread model: one owner thread.
#pragma once

#include <functional>
#include <random>

#include "block/content_store.h"
#include "block/local_layer.h"
#include "block/memory_layer.h"
#include "io/buffer.h"
#include "io/tests/support.h"

namespace kiln::block::testing {

using io::testing::backends;
using io::testing::soon;
using io::testing::TempDir;
using io::testing::TestReactor;

inline constexpr Geometry kSmall{.shard_bytes = 64 << 10,
                                 .page_blocks = 64,
                                 .journal_bytes = 64 << 10,
                                 .journal_first_bytes = 8 << 10};

// Counts up; the same in every run.
class TestRng final : public io::Rng {
  public:
    void fill(MutableByteView out) override {
        for (std::uint8_t& byte : out) {
            byte = next_++;
        }
    }

  private:
    std::uint8_t next_ = 1;
};

// A decorator that lets tests delay or fail what the layer asks for.
class GateIo final : public io::Io {
  public:
    explicit GateIo(io::Io& below, io::Scheduler& scheduler)
        : below_(below), scheduler_(scheduler) {}
    void submit(io::Op op, io::IoDone done) override {
        ++counts[op.kind];
        if (fail && fail(op)) {
            scheduler_.post([done = std::move(done), code = fail_code]() mutable {
                done(Error(code, "injected"));
            });
            return;
        }
        if (hold && hold(op)) {
            held.push_back({std::move(op), std::move(done)});
            return;
        }
        if (skip_syncs && (op.kind == io::OpKind::sync || op.kind == io::OpKind::sync_data ||
                           op.kind == io::OpKind::sync_dir)) {
            scheduler_.post([done = std::move(done)]() mutable { done(0); });
            return;
        }
        pass(std::move(op), std::move(done));
    }
    void release() {
        hold = nullptr;
        auto waiting = std::move(held);
        held.clear();
        for (auto& [op, done] : waiting) {
            pass(std::move(op), std::move(done));
        }
    }
    int in_flight() const { return *in_flight_; }  // passed on and not completed
    bool skip_syncs = false;  // where nothing is lost but by the test's own hand, and time counts
    std::function<bool(const io::Op&)> hold;
    std::function<bool(const io::Op&)> fail;
    Code fail_code = Code::io_error;
    std::vector<std::pair<io::Op, io::IoDone>> held;
    std::map<io::OpKind, int> counts;

  private:
    void pass(io::Op op, io::IoDone done) {
        ++*in_flight_;
        below_.submit(std::move(op), [count = in_flight_, done = std::move(done)](
                                         Result<std::uint64_t> result) mutable {
            --*count;
            done(std::move(result));
        });
    }
    io::Io& below_;
    io::Scheduler& scheduler_;
    // Shared: a file's close may complete after the test is over.
    std::shared_ptr<int> in_flight_ = std::make_shared<int>(0);
};

// Layers in one directory, seen by a host with one boot id.
class TestStore {
  public:
    explicit TestStore(TestReactor& reactor, const std::string& directory,
                       std::string boot_id = "boot-1")
        : gate(reactor->io(), reactor->scheduler()),
          context{.io = gate,
                  .scheduler = reactor->scheduler(),
                  .rng = rng,
                  .directory = directory,
                  .store_uuid = "store",
                  .boot_id = std::move(boot_id),
                  .geometry = kSmall},
          reactor_(reactor) {}

    Result<std::shared_ptr<Layer>> open(LayerOpen spec) {
        return reactor_.await<std::shared_ptr<Layer>>(
            [&](auto done) { open_local_layer(context, std::move(spec), std::move(done)); });
    }
    Result<std::shared_ptr<Layer>> open_active(const std::string& id, std::uint64_t size,
                                               bool create = true) {
        return open({LayerId(id), VolumeId("vol-1"), size, true, create});
    }
    Result<std::shared_ptr<Layer>> open_sealed(const std::string& id, std::uint64_t size) {
        return open({.layer = LayerId(id), .volume = {}, .size_bytes = size});
    }

    TestRng rng;
    GateIo gate;
    LayerContext context;

  private:
    TestReactor& reactor_;
};

inline io::Buffer filled(std::uint64_t blocks, std::uint8_t value) {
    io::Buffer buffer(blocks * kBlockBytes);
    std::fill(buffer.mutable_view().begin(), buffer.mutable_view().end(), value);
    return buffer;
}

// Blocking forms of the layer's operations.
struct Sync {
    TestReactor& reactor;

    Status write(Layer& layer, BlockRange range, std::uint8_t value) {
        const io::Buffer data = filled(range.count, value);
        return reactor.await<void>(
            [&](Done done) { layer.write(range, data.view(), std::move(done)); });
    }
    // The block's first byte, all bytes being equal.
    Result<int> read(Layer& layer, std::uint64_t block) {
        io::Buffer into(kBlockBytes);
        TRY(reactor.await<void>([&](Done done) {
            layer.read({block, 1}, into.mutable_view(), std::move(done));
        }));
        const ByteView all = into.view();
        REQUIRE(
            std::all_of(all.begin(), all.end(), [&](std::uint8_t byte) { return byte == all[0]; }));
        return into.data()[0];
    }
    Status zero(Layer& layer, BlockRange range) {
        return reactor.await<void>([&](Done done) { layer.zero(range, std::move(done)); });
    }
    Status flush(Layer& layer) {
        return reactor.await<void>(
            [&](Done done) { layer.flush(layer.version(), std::move(done)); });
    }
    Status seal(Layer& layer) {
        return reactor.await<void>([&](Done done) {
            layer.seal({"set-1", "l-next"}, std::move(done));
        });
    }
    Status close(Layer& layer) {
        return reactor.await<void>([&](Done done) { layer.close(std::move(done)); });
    }
};

inline BlockState state_of(const Layer& layer, std::uint64_t block) {
    return layer.presence(block, 1).state;
}

// The files as the end of the process would leave them at this moment.
inline void copy_files(const std::string& from, const std::string& to) {
    std::filesystem::remove_all(to);
    std::filesystem::copy(from, to);
}

// KILN_SEED repeats a run.
inline std::uint64_t test_seed() {
    const char* given = std::getenv("KILN_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

// Contents in memory.
class TestContents final : public ContentStore {
  public:
    void chain(const ContentId& id, ChainDone done) override {
        std::vector<ContentRecord> found;
        for (ContentId at = id; !at.empty();) {
            const auto record = records.find(at);
            if (record == records.end()) {
                done(Error(Code::not_found, "content " + at.str()));
                return;
            }
            found.push_back(record->second);
            at = record->second.parent;
        }
        done(std::move(found));
    }
    std::map<ContentId, ContentRecord> records;
};

}  // namespace kiln::block::testing
