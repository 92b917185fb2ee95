// SPDX-License-Identifier: Apache-2.0
// What the tests of the image tier share: a whole tier in memory on a tiny geometry, and a content
// kept flat. Thread model: one owner thread.
#pragma once

#include "block/image/destage.h"
#include "block/image/memory_chunk_index.h"
#include "block/image/tree_diff.h"
#include "block/image/tree_reader.h"
#include "block/tests/support.h"
#include "io/sim_random.h"
#include "objects/memory_object_store.h"

namespace kiln::block::testing {

// 512 KiB in 128 chunks of 4 KiB, 64 leaves, three levels of nodes.
inline constexpr ImageGeometry kTiny{
    .chunk_bytes = 4096, .leaf_chunks = 2, .fan_out = 4, .height = 3};

// Pack ids: different in every tier of one test, the same in every run.
class SeededRng final : public io::Rng {
  public:
    explicit SeededRng(std::uint64_t seed) : random_(seed) {}
    void fill(MutableByteView out) override { rng_.fill(out); }

  private:
    io::SimRandom random_;
    io::SimRng rng_{random_};
};

class TestTier {
  public:
    explicit TestTier(TestReactor& reactor, objects::ObjectStore* objects = nullptr,
                      std::size_t cache_bytes = 1 << 20, Worker* worker = nullptr)
        : memory(reactor->scheduler()),
          index(reactor->scheduler()),
          cache(cache_bytes),
          inline_worker(reactor->scheduler()),
          context{.objects = objects != nullptr ? *objects : memory,
                  .index = index,
                  .worker = worker != nullptr ? *worker : inline_worker,
                  .scheduler = reactor->scheduler(),
                  .rng = rng,
                  .cache = cache,
                  .store_uuid = "store",
                  .pack_target_bytes = 32 << 10},
          store(context),
          reactor_(reactor) {}

    Result<WrittenTree> destage(ContentSource& source, const RootDigest& base,
                                Codec codec = Codec::zstd) {
        return reactor_.await<WrittenTree>([&](auto done) {
            Destage::start(store, source, {.base = base, .geometry = kTiny, .codec = codec},
                           std::move(done));
        });
    }
    Result<Bytes> read(const RootDigest& root, std::uint64_t offset, std::uint64_t length) {
        TRY_ASSIGN(const auto reader, reactor_.await<std::shared_ptr<TreeReader>>([&](auto done) {
            TreeReader::open(store, {}, root, std::move(done));
        }));
        Bytes bytes(length, 0xee);
        TRY(reactor_.await<void>([&](Done done) { reader->read(offset, bytes, std::move(done)); }));
        return bytes;
    }
    Result<LeafPage> diff(const RootDigest& a, const RootDigest& b, std::uint64_t from = 0,
                          std::size_t limit = 1000) {
        return reactor_.await<LeafPage>([&](auto done) {
            diff_leaves(store, {.a = a, .b = b, .from_leaf = from, .limit = limit},
                        std::move(done));
        });
    }

    SeededRng rng{7};
    objects::MemoryObjectStore memory;
    MemoryChunkIndex index;
    ImageCache cache;
    InlineWorker inline_worker;
    ImageContext context;
    ChunkStore store;

  private:
    TestReactor& reactor_;
};

// A content in memory that remembers which chunks changed since the base.
class FlatSource final : public ContentSource {
  public:
    FlatSource(TestReactor& reactor, std::uint64_t size) : bytes(size, 0), reactor_(reactor) {}

    void fill(std::uint64_t offset, std::uint64_t length, std::uint64_t seed) {
        std::mt19937_64 random(seed);
        const bool compressible = seed % 2 == 0;
        for (std::uint64_t i = offset; i < offset + length; ++i) {
            bytes[i] = seed == 0 ? std::uint8_t{0}
                                 : static_cast<std::uint8_t>(compressible ? seed : random());
        }
        for (std::uint64_t chunk = offset / 4096; chunk <= (offset + length - 1) / 4096; ++chunk) {
            dirty.insert(chunk);
        }
    }
    std::uint64_t size_bytes() const override { return bytes.size(); }
    std::optional<ByteRange> next_dirty(std::uint64_t from) override {
        const auto at = dirty.lower_bound(from / 4096);
        if (at == dirty.end()) {
            return std::nullopt;
        }
        return ByteRange{*at * 4096, 4096};
    }
    void read(std::uint64_t offset, MutableByteView into, Done done) override {
        INVARIANT(offset + into.size() <= bytes.size());
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
        reactor_->scheduler().post([done = std::move(done)]() mutable { done(ok()); });
    }

    Bytes bytes;
    std::set<std::uint64_t> dirty;

  private:
    TestReactor& reactor_;
};

}  // namespace kiln::block::testing
