// SPDX-License-Identifier: Apache-2.0
// A volume over files against a naive one in memory: random operations, several in flight,
// overlapping, with ends of the process and losses of power in between. KILN_SEED repeats a run.
#include <doctest/doctest.h>

#include "block/tests/support.h"
#include "block/volume.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kBlocks = 70;
constexpr std::uint64_t kBytes = kBlocks * kBlockBytes;
constexpr std::uint64_t kBaseBlocks = 40;

class Model {
  public:
    Model(io::Backend backend, std::uint64_t seed)
        : reactor_(backend), random_(seed), now_(kBytes, 0) {
        std::filesystem::create_directory(dir_ / "a");
        store_ = std::make_unique<TestStore>(reactor_, dir_ / "a");
        store_->gate.skip_syncs = true;
        make_base();
        history_.resize(kBlocks);
        for (std::uint64_t block = 0; block < kBlocks; ++block) {
            history_[block] = {block_now(block)};
        }
        volume_ = open(*store_, true);
    }
    ~Model() { close(*volume_); }

    void round() {
        for (std::uint64_t i = 1 + random_() % 12; i > 0; --i) {
            start_one();
        }
        REQUIRE(reactor_->run_until([&] { return in_flight_ == 0; }, soon()));
        const auto choice = random_() % 10;
        if (choice < 3) {
            flush();
        } else if (choice < 5) {
            after_crash("boot-1");
        } else if (choice < 7) {
            after_crash("boot-2");
        } else if (choice == 7) {
            close(*volume_);
            volume_ = open(*store_, false);
            forget_history();
        }
        REQUIRE(read_all(*volume_) == now_);
    }

  private:
    void make_base() {
        auto base = store_->open_active("l-base", kBaseBlocks * kBlockBytes);
        REQUIRE(base);
        Sync sync{reactor_};
        REQUIRE(sync.write(**base, {0, 30}, 0xb1));
        REQUIRE(sync.zero(**base, {10, 5}));
        REQUIRE(sync.seal(**base));
        REQUIRE(sync.close(**base));
        std::fill_n(now_.begin(), 30 * kBlockBytes, 0xb1);
        std::fill_n(now_.begin() + 10 * kBlockBytes, 5 * kBlockBytes, 0);
    }
    std::unique_ptr<Volume> open(TestStore& store, bool create) {
        auto active = store.open_active("l-active", kBytes, create);
        REQUIRE_MESSAGE(active, active.error().to_string());
        auto base = store.open_sealed("l-base", kBaseBlocks * kBlockBytes);
        REQUIRE(base);
        return std::make_unique<Volume>(reactor_->scheduler(), VolumeId("vol-1"), kBytes,
                                        std::make_shared<const Stack>(Stack{*active, {*base}}));
    }
    void close(Volume& volume) {
        REQUIRE(reactor_.await<void>([&](Done done) { volume.close(std::move(done)); }));
    }
    Bytes block_now(std::uint64_t block) const {
        const auto at = now_.begin() + static_cast<std::ptrdiff_t>(block * kBlockBytes);
        return {at, at + kBlockBytes};
    }

    void start_one() {
        const bool whole = random_() % 2 == 0;
        const std::uint64_t unit = whole ? kBlockBytes : random_() % 2 == 0 ? 512 : 1;
        const std::uint64_t offset = random_() % (kBytes / unit) * unit;
        const std::uint64_t most = random_() % 4 == 0 ? 20 * kBlockBytes : 3 * kBlockBytes;
        const std::uint64_t length =
            std::min(kBytes - offset, (1 + random_() % (most / unit)) * unit);
        ++in_flight_;
        const auto kind = random_() % 8;
        const auto finished = [this](Status status) {
            REQUIRE_MESSAGE(status, (status ? "" : status.error().to_string()));
            --in_flight_;
        };
        if (kind < 5) {
            auto data = std::make_shared<io::Buffer>(length);
            const auto value = static_cast<std::uint8_t>(1 + random_() % 250);
            std::fill(data->mutable_view().begin(), data->mutable_view().end(), value);
            apply(offset, length, value);
            volume_->write(offset, data->view(), random_() % 10 == 0,
                           [data, finished](Status status) { finished(std::move(status)); });
        } else if (kind < 7) {
            apply(offset, length, 0);
            volume_->zero(offset, length, false, finished);
        } else {
            volume_->flush(finished);  // covers an unknown part: the history is kept
        }
    }
    void apply(std::uint64_t offset, std::uint64_t length, std::uint8_t value) {
        std::fill_n(now_.begin() + static_cast<std::ptrdiff_t>(offset), length, value);
        for (std::uint64_t block = offset / kBlockBytes; block * kBlockBytes < offset + length;
             ++block) {
            history_[block].push_back(block_now(block));
        }
    }
    void flush() {
        REQUIRE(reactor_.await<void>([&](Done done) { volume_->flush(std::move(done)); }));
        forget_history();
    }
    void forget_history() {
        for (std::uint64_t block = 0; block < kBlocks; ++block) {
            history_[block] = {block_now(block)};
        }
    }
    Bytes read_all(Volume& volume) {
        io::Buffer into(kBytes);
        REQUIRE(reactor_.await<void>(
            [&](Done done) { volume.read(0, into.mutable_view(), std::move(done)); }));
        return {into.view().begin(), into.view().end()};
    }
    // What a new process finds in the files of this moment: after the end of the process exactly
    // the present state; after a loss of power each block in one of its versions since the last
    // flush.
    void after_crash(const std::string& boot_id) {
        copy_files(dir_ / "a", dir_ / "b");
        TestStore store(reactor_, dir_ / "b", boot_id);
        store.gate.skip_syncs = true;
        auto found = open(store, false);
        const Bytes bytes = read_all(*found);
        for (std::uint64_t block = 0; block < kBlocks; ++block) {
            const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(block * kBlockBytes);
            const Bytes content{at, at + kBlockBytes};
            const auto& legal = history_[block];
            CAPTURE(block);
            if (boot_id == "boot-1") {
                REQUIRE(content == block_now(block));
            } else {
                REQUIRE(std::find(legal.begin(), legal.end(), content) != legal.end());
            }
        }
        // Still a volume.
        const io::Buffer data = filled(1, 0xcc);
        REQUIRE(reactor_.await<void>(
            [&](Done done) { found->write(0, data.view(), true, std::move(done)); }));
        close(*found);
    }

    TempDir dir_;
    TestReactor reactor_;
    std::mt19937_64 random_;
    std::unique_ptr<TestStore> store_;
    std::unique_ptr<Volume> volume_;
    Bytes now_;
    std::vector<std::vector<Bytes>> history_;  // by block: versions since the last flush
    int in_flight_ = 0;
};

}  // namespace

TEST_CASE("random operations and crashes leave what a naive volume would have") {
    const std::uint64_t seed = test_seed();
    MESSAGE("KILN_SEED=", seed);
    CAPTURE(seed);
    for (const io::Backend backend : backends()) {
        for (std::uint64_t run = 0; run < 2; ++run) {
            Model model(backend, seed + run);
            for (int round = 0; round < 40; ++round) {
                CAPTURE(round);
                model.round();
            }
        }
    }
}
