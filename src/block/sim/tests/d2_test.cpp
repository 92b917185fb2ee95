// SPDX-License-Identifier: Apache-2.0
// The first seeds that D2 asks for: each a short scene on one volume above a sealed layer, played
// with many timings, cut off by a loss of power or the end of the process, and judged by the
// oracle.
#include <doctest/doctest.h>

#include "block/local_layer.h"
#include "block/sim/oracle.h"
#include "block/volume.h"
#include "io/buffer.h"
#include "io/sim_reactor.h"
#include "util/log.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::sim;

namespace {

constexpr std::uint64_t kBlocks = 16;
constexpr std::uint64_t kBytes = kBlocks * kBlockBytes;
constexpr std::uint64_t kCellsPerBlock = kBlockBytes / kCellBytes;
constexpr Value kBase = 1;  // what the sealed layer holds everywhere: lost data is not taken for it

// A volume on a simulated machine, through its crashes.
class Scene {
  public:
    explicit Scene(std::uint64_t seed)
        : machine_(seed), oracle_(moments_, std::vector<Value>(kBytes / kCellBytes, kBase)) {
        set_log_level(LogLevel::off);
        start();
        auto base = layer("base", true);
        io::Buffer all(kBytes);
        fill_cells(all.mutable_view(), 0, kBase);
        must([&](Done done) { base->write({0, kBlocks}, all.view(), std::move(done)); });
        must([&](Done done) { base->seal({}, std::move(done)); });
        must([&](Done done) { base->close(std::move(done)); });
        open();
    }
    ~Scene() { close(); }

    io::SimRandom& random() { return machine_.random; }

    // Each counts itself when it completes, in `completed`.
    void write(std::uint64_t block, std::uint64_t count) {
        const Value value = next_value_++;
        auto buffer = std::make_shared<io::Buffer>(count * kBlockBytes);
        fill_cells(buffer->mutable_view(), block * kCellsPerBlock, value);
        const auto change = oracle_.begin(block * kCellsPerBlock, count * kCellsPerBlock, value);
        ++started;
        volume_->write(block * kBlockBytes, buffer->view(), false,
                       ended([this, buffer, change](const Status& status) {
                           oracle_.end(change, status.has_value(), false);
                       }));
    }
    void trim(std::uint64_t block, std::uint64_t count) {
        const auto change = oracle_.begin(block * kCellsPerBlock, count * kCellsPerBlock, 0);
        ++started;
        volume_->zero(block * kBlockBytes, count * kBlockBytes, false,
                      ended([this, change](const Status& status) {
                          oracle_.end(change, status.has_value(), false);
                      }));
    }
    void flush() {
        ++started;
        volume_->flush(ended([this, begun = oracle_.moment()](const Status& status) {
            REQUIRE(status);
            oracle_.flushed(begun);
        }));
    }
    void steps(std::uint64_t most) {
        for (std::uint64_t left = random().below(most + 1); left > 0 && reactor_->step(); --left) {
        }
    }
    void finish() {
        while (completed < started) {
            REQUIRE(reactor_->step());
        }
    }
    // Until nothing happens any more, the background included.
    void settle() {
        while (reactor_->step()) {
        }
    }
    void check(const std::string& when) {
        io::Buffer all(kBytes);
        must([&](Done done) { volume_->read(0, all.mutable_view(), std::move(done)); });
        const std::string wrong = oracle_.check(0, all.view(), after_loss_);
        REQUIRE_MESSAGE(wrong.empty(), when, ": ", wrong);
        after_loss_ = false;
    }
    void crash(io::Crash kind) {
        alive_ = std::make_shared<bool>(false);
        reactor_->crash(kind);
        close();
        started = completed = 0;
        after_loss_ = kind == io::Crash::power_loss;
        if (after_loss_) {
            oracle_.power_lost();
        } else {
            oracle_.process_ended();
        }
        start();
        open();
    }

    std::uint64_t started = 0;
    std::uint64_t completed = 0;

  private:
    void start() {
        reactor_ = std::make_unique<io::SimReactor>(machine_);
        rng_ = std::make_unique<io::SimRng>(machine_.random);
        // A checkpoint with nearly every record, in a ring of the smallest size.
        context_ =
            std::make_unique<LayerContext>(LayerContext{.io = *reactor_,
                                                        .scheduler = *reactor_,
                                                        .rng = *rng_,
                                                        .directory = "/store",
                                                        .store_uuid = "simulated-store",
                                                        .boot_id = machine_.boot_id(),
                                                        .geometry = {.shard_bytes = 32 << 10,
                                                                     .page_blocks = 64,
                                                                     .directory_pages = 1,
                                                                     .journal_bytes = 4 << 10,
                                                                     .journal_first_bytes = 2 << 10,
                                                                     .checkpoint_bytes = 128}});
    }
    void open() {
        auto active = layer("active", true);
        auto base = layer("base", false);
        volume_ = std::make_unique<Volume>(
            *reactor_, VolumeId("vol-1"), kBytes,
            std::make_shared<const Stack>(Stack{.active = active, .sealed = {base}}));
        alive_ = std::make_shared<bool>(true);
    }
    void close() {
        bool closed = false;
        volume_->close([&](const Status&) { closed = true; });
        while (!closed && reactor_->step()) {
        }
        REQUIRE(closed);
        settle();
        volume_.reset();
    }
    std::shared_ptr<Layer> layer(const std::string& id, bool writable) {
        std::shared_ptr<Layer> opened;
        bool answered = false;
        open_local_layer(*context_,
                         {.layer = LayerId(id),
                          .volume = VolumeId("vol-1"),
                          .size_bytes = kBytes,
                          .writable = writable,
                          .create = writable},
                         [&](Result<std::shared_ptr<Layer>> result) {
                             answered = true;
                             REQUIRE_MESSAGE(result, result.error().to_string());
                             opened = *result;
                         });
        while (!answered) {
            REQUIRE(reactor_->step());
        }
        return opened;
    }
    template <class Start>
    void must(Start start_it) {
        bool answered = false;
        start_it([&](Status status) {
            answered = true;
            REQUIRE_MESSAGE(status, status.error().to_string());
        });
        while (!answered) {
            REQUIRE(reactor_->step());
        }
    }
    // A completion of this process; after its end the oracle must not hear of it.
    template <class F>
    Done ended(F work) {
        return [this, alive = alive_, work = std::move(work)](Status status) mutable {
            if (*alive && alive == alive_) {
                ++completed;
                work(status);
            }
        };
    }

    io::SimMachine machine_;
    Moments moments_;
    Oracle oracle_;
    Value next_value_ = kBase + 1;
    bool after_loss_ = false;
    std::unique_ptr<io::SimReactor> reactor_;
    std::unique_ptr<io::SimRng> rng_;
    std::unique_ptr<LayerContext> context_;
    std::unique_ptr<Volume> volume_;
    std::shared_ptr<bool> alive_;
};

template <class Play>
void for_seeds(std::uint64_t seeds, const Play& play) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        CAPTURE(seed);
        Scene scene(seed);
        play(scene);
    }
}

}  // namespace

TEST_CASE("D2: a write during a flush, then a loss of power") {
    for_seeds(400, [](Scene& scene) {
        scene.write(0, 4);
        scene.finish();
        scene.flush();
        scene.steps(12);
        scene.write(2, 4);
        scene.write(9, 1);
        scene.finish();
        scene.steps(20);
        scene.crash(io::Crash::power_loss);
        scene.check("after the loss of power");
        scene.write(3, 2);
        scene.finish();
        scene.crash(io::Crash::process_kill);
        scene.check("after the next process");
    });
}

TEST_CASE("D2: a checkpoint with unsynced data, then a loss of power") {
    for_seeds(400, [](Scene& scene) {
        for (std::uint64_t round = 0; round < 4; ++round) {
            scene.write(4 * round, 1 + scene.random().below(4));
            scene.steps(40);
        }
        scene.finish();
        scene.write(scene.random().below(kBlocks), 1);
        scene.steps(60);
        scene.crash(io::Crash::power_loss);
        scene.check("after the loss of power");
        scene.crash(io::Crash::power_loss);
        scene.check("after another one");
    });
}

TEST_CASE(
    "D2: a checkpoint found by the next process, which overwrites the journal, then a loss of "
    "power") {
    for_seeds(400, [](Scene& scene) {
        scene.write(0, 8);
        scene.finish();
        scene.flush();
        scene.steps(60);
        scene.crash(io::Crash::process_kill);
        for (int round = 0; round < 30; ++round) {
            scene.trim(scene.random().below(kBlocks), 1);
            scene.finish();
            scene.write(scene.random().below(kBlocks), 1);
            scene.finish();
        }
        scene.steps(60);
        scene.crash(io::Crash::power_loss);
        scene.check("after the loss of power");
    });
}

TEST_CASE("D2: a trim and a write of one block in flight") {
    for_seeds(400, [](Scene& scene) {
        scene.write(5, 2);
        scene.finish();
        const bool trim_first = scene.random().one_in(2);
        for (int i = 0; i < 2; ++i) {
            if ((i == 0) == trim_first) {
                scene.trim(4, 3);
            } else {
                scene.write(5, 1);
            }
            scene.steps(6);
        }
        scene.finish();
        scene.check("when both have ended");
        scene.settle();
        scene.check("a while later");  // no hole was punched meanwhile
        scene.crash(scene.random().one_in(2) ? io::Crash::process_kill : io::Crash::power_loss);
        scene.check("after the crash");
    });
}
