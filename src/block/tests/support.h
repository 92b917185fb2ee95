// SPDX-License-Identifier: Apache-2.0
// What the tests of block share: a store of layers in a temporary directory on small geometry, and
// an Io that holds or fails chosen operations. Thread model: one owner thread.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <functional>
#include <random>

#include "block/content_store.h"
#include "block/engine.h"
#include "block/image/memory_chunk_index.h"
#include "block/local_layer.h"
#include "block/memory_layer.h"
#include "io/buffer.h"
#include "io/tests/support.h"
#include "objects/memory_object_store.h"
#include "util/tests/golden.h"

namespace kiln::block::testing {

using io::testing::backends;
using io::testing::soon;
using io::testing::TempDir;
using io::testing::TestReactor;

// A file of src/block/tests/data.
inline void check_golden(const std::string& name, ByteView bytes) {
    kiln::testing::check_golden(std::string(KILN_BLOCK_TEST_DATA) + "/" + name, as_text(bytes));
}

inline constexpr Geometry kSmall{.shard_bytes = 64 << 10,
                                 .page_blocks = 64,
                                 .journal_bytes = 64 << 10,
                                 .journal_first_bytes = 8 << 10,
                                 .layers_asked = 1};

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
        release([](const io::Op&) { return true; });
    }
    // Of what is held, lets these go; the others stay, and `hold` goes on.
    void release(const std::function<bool(const io::Op&)>& which) {
        auto waiting = std::move(held);
        held.clear();
        for (auto& [op, done] : waiting) {
            if (which(op)) {
                pass(std::move(op), std::move(done));
            } else {
                held.push_back({std::move(op), std::move(done)});
            }
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

// Damage: one bit of the byte at this place.
inline void flip_byte(const std::string& path, std::uint64_t at) {
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    std::uint8_t byte = 0;
    REQUIRE(::pread(fd.get(), &byte, 1, static_cast<off_t>(at)) == 1);
    byte ^= 0x10;
    REQUIRE(::pwrite(fd.get(), &byte, 1, static_cast<off_t>(at)) == 1);
}

// KILN_SEED repeats a run.
inline std::uint64_t test_seed() {
    const char* given = std::getenv("KILN_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

// An image tier in memory that outlives the engines made on it, one at a time.
class KeptImages {
  public:
    ImageTier tier(ImageGeometry geometry = {}) {
        ImageTier made;
        made.objects = [state = state_](io::Io&, io::Scheduler& scheduler)
            -> Result<std::unique_ptr<objects::ObjectStore>> {
            return std::make_unique<Objects>(state, scheduler);
        };
        made.index = [state = state_](io::Scheduler& scheduler) {
            return std::make_unique<MemoryChunkIndex>(scheduler, state->rows);
        };
        made.geometry = geometry;
        return made;
    }

  private:
    struct State {
        Mutex mutex;
        std::map<std::string, objects::SharedBytes> objects GUARDED_BY(mutex);
        const std::shared_ptr<MemoryChunkIndex::Rows> rows =
            std::make_shared<MemoryChunkIndex::Rows>();
    };
    // A store of one reactor over what all of them, and the engines before, have put.
    class Objects final : public objects::ObjectStore {
      public:
        Objects(std::shared_ptr<State> state, io::Scheduler& scheduler)
            : state_(std::move(state)), store_(scheduler) {}
        objects::CallPtr put(std::string name, objects::SharedBytes content,
                             objects::CallOptions options, Done done) override {
            return with_objects([&] {
                return store_.put(std::move(name), std::move(content), options, std::move(done));
            });
        }
        objects::CallPtr get(std::string name, std::uint64_t offset, std::uint64_t length,
                             objects::CallOptions options,
                             io::Callback<Result<Bytes>> done) override {
            return with_objects([&] {
                return store_.get(std::move(name), offset, length, options, std::move(done));
            });
        }
        objects::CallPtr get_tail(std::string name, std::uint64_t length,
                                  objects::CallOptions options,
                                  io::Callback<Result<objects::Tail>> done) override {
            return with_objects(
                [&] { return store_.get_tail(std::move(name), length, options, std::move(done)); });
        }
        objects::CallPtr remove(std::string name, objects::CallOptions options,
                                Done done) override {
            return with_objects(
                [&] { return store_.remove(std::move(name), options, std::move(done)); });
        }
        void forget(const std::string& name) override { store_.forget(name); }

      private:
        // The store works on its own map inside the call, and answers later.
        template <class Call>
        objects::CallPtr with_objects(Call call) {
            MutexLock lock(state_->mutex);
            store_.contents.swap(state_->objects);
            objects::CallPtr pending = call();
            store_.contents.swap(state_->objects);
            return pending;
        }
        const std::shared_ptr<State> state_;
        objects::MemoryObjectStore store_;
    };
    const std::shared_ptr<State> state_ = std::make_shared<State>();
};

inline ImageTier make_memory_tier() {
    return KeptImages().tier();
}

// Contents in memory.
class TestContents final : public ContentStore {
  public:
    void chain(const ContentId& id, ChainDone done) override {
        auto found = find(id);
        if (late) {
            waiting.push_back([done = std::move(done), found = std::move(found)] { done(found); });
        } else {
            done(std::move(found));
        }
    }
    void answer() {
        for (const auto& give : std::exchange(waiting, {})) {
            give();
        }
    }
    std::map<ContentId, ContentRecord> records;
    bool late = false;  // what was found waits for answer()
    std::vector<std::function<void()>> waiting;

  private:
    Result<std::vector<ContentRecord>> find(const ContentId& id) const {
        std::vector<ContentRecord> found;
        for (ContentId at = id; !at.empty();) {
            const auto record = records.find(at);
            if (record == records.end()) {
                return Error(Code::not_found, "content " + at.str());
            }
            found.push_back(record->second);
            at = record->second.state == ContentState::rooted ? ContentId() : record->second.parent;
        }
        return found;
    }
};

}  // namespace kiln::block::testing
