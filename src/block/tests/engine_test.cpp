// SPDX-License-Identifier: Apache-2.0
// The engine as the rest of the program uses it.
#include <doctest/doctest.h>

#include <future>
#include <thread>

#include "block/detail/volume_owner.h"
#include "block/limits.h"
#include "block/tests/nbd_client.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kBytes = 64 * kBlockBytes;
const VolumeId kVolume("vol-1");

// A sealed volume whose layer becomes a content.
void make_content(TestEngine& engine, const std::string& volume, std::uint64_t bytes,
                  const std::string& parent, const std::string& content, std::uint64_t at,
                  std::uint8_t value) {
    REQUIRE(engine.open(volume, bytes, parent));
    REQUIRE(engine->write(VolumeId(volume), at, Bytes(10000, value), soon()));
    REQUIRE(engine->seal_volume(VolumeId(volume), soon()));
    ContentRecord record;
    record.id = ContentId(content);
    record.parent = ContentId(parent);
    record.layer = LayerId("l-" + volume);
    record.size_bytes = bytes;
    engine.contents.records[record.id] = record;
}

}  // namespace

TEST_CASE("a volume's bytes outlive the engine") {
    for (const io::Backend backend : backends()) {
        TestEngine engine(backend);
        REQUIRE(engine.open("vol-1", kBytes));
        CHECK(engine->is_open(kVolume));
        CHECK(engine->write(kVolume, 1000, Bytes(9000, 7), soon()));
        CHECK(engine->zero(kVolume, 4096, 4096, soon()));
        CHECK(engine->flush(kVolume, soon()));
        engine.restart();
        CHECK(!engine->is_open(kVolume));
        REQUIRE(engine.open("vol-1", kBytes));
        const Bytes bytes = engine->read(kVolume, 0, 12288, soon()).value();
        CHECK(bytes[999] == 0);
        CHECK(bytes[1000] == 7);
        CHECK(bytes[4095] == 7);
        CHECK(bytes[4096] == 0);
        CHECK(bytes[9999] == 7);
        CHECK(bytes[10000] == 0);
        CHECK(engine->close_volume(kVolume, soon()));
    }
}

TEST_CASE(
    "a volume on a chain of contents reads through them, changes only itself, and may be larger") {
    TestEngine engine;
    make_content(engine, "vol-a", kBytes, "", "content-a", 0, 1);
    make_content(engine, "vol-b", kBytes, "content-a", "content-b", 8192, 2);
    REQUIRE(engine.open("vol-1", 2 * kBytes, "content-b"));
    REQUIRE(engine.open("vol-2", kBytes, "content-b"));
    CHECK(engine->write(kVolume, 0, Bytes(100, 3), soon()));
    const Bytes first = engine->read(kVolume, 0, 20000, soon()).value();
    CHECK(first[0] == 3);
    CHECK(first[100] == 1);
    CHECK(first[8191] == 1);
    CHECK(first[8192] == 2);
    CHECK(first[18192] == 0);
    CHECK(engine->read(kVolume, 2 * kBytes - 4096, 4096, soon()).value() == Bytes(4096, 0));
    const Bytes second = engine->read(VolumeId("vol-2"), 0, 20000, soon()).value();
    CHECK(second[0] == 1);
    CHECK(second[8192] == 2);
    // The layers below are in use.
    CHECK(engine->drop_layer(LayerId("l-vol-a"), soon()).error().code() ==
          Code::failed_precondition);
    CHECK(engine->close_volume(kVolume, soon()));
    CHECK(engine->close_volume(VolumeId("vol-2"), soon()));
    CHECK(engine->drop_layer(LayerId("l-vol-a"), soon()));
    CHECK(engine.open("vol-3", kBytes, "content-b").error().code() == Code::data_loss);
    CHECK(!engine->is_open(VolumeId("vol-3")));
}

TEST_CASE("wrong states and arguments are refused by their codes and change nothing") {
    TestEngine engine;
    const auto code = [](const Status& status) {
        return status ? Code::internal : status.error().code();
    };
    CHECK(code(engine->close_volume(kVolume, soon())) == Code::failed_precondition);
    CHECK(code(engine->flush(kVolume, soon())) == Code::failed_precondition);
    CHECK(code(engine->seal_volume(kVolume, soon())) == Code::failed_precondition);
    CHECK(engine->read(kVolume, 0, 1, soon()).error().code() == Code::failed_precondition);
    CHECK(code(engine->export_volume(kVolume, engine.dir / "s", false, soon())) ==
          Code::failed_precondition);
    CHECK(code(engine.open("vol-1", kBytes + 1)) == Code::invalid_argument);
    CHECK(code(engine.open("vol-1", 0)) == Code::invalid_argument);
    CHECK(code(engine.open("vol-1", kMaxVolumeBytes + kBlockBytes)) == Code::invalid_argument);
    CHECK(code(engine.open("../evil", kBytes)) == Code::invalid_argument);
    CHECK(code(engine.open("vol-1", kBytes, "content-x")) == Code::not_found);
    CHECK(code(engine->open_volume({kVolume, kBytes, ContentId(), LayerId("l-vol-1"), false},
                                   soon())) == Code::not_found);
    CHECK(engine->list_layers().value().empty());
    REQUIRE(engine.open("vol-1", kBytes));
    CHECK(code(engine.open("vol-1", kBytes)) == Code::failed_precondition);
    CHECK(code(engine->open_volume(
              {VolumeId("vol-2"), kBytes, ContentId(), LayerId("l-vol-1"), true}, soon())) ==
          Code::failed_precondition);
    CHECK(code(engine->write(kVolume, kBytes - 1, Bytes(2), soon())) == Code::invalid_argument);
    CHECK(code(engine->write(kVolume, 0, Bytes(kMaxRequestBytes + 1), soon())) ==
          Code::invalid_argument);
    CHECK(engine->read(kVolume, kBytes, 1, soon()).error().code() == Code::invalid_argument);
    CHECK(code(engine->drop_layer(LayerId("l-vol-1"), soon())) == Code::failed_precondition);
    CHECK(code(engine->drop_layer(LayerId("../x"), soon())) == Code::invalid_argument);
    CHECK(code(engine->unexport_volume(kVolume, engine.dir / "s", soon())) ==
          Code::failed_precondition);
    CHECK(code(engine->export_volume(kVolume, "/" + std::string(107, 'x'), false, soon())) ==
          Code::invalid_argument);
    CHECK(code(engine->export_volume(kVolume, engine.dir / "missing/s", false, soon())) ==
          Code::not_found);
    CHECK(engine->export_volume(kVolume, engine.dir / "s", false, soon()));
    CHECK(code(engine->export_volume(kVolume, engine.dir / "s", true, soon())) ==
          Code::failed_precondition);
    CHECK(engine->close_volume(kVolume, soon()));
    // A volume smaller than its content.
    make_content(engine, "vol-a", kBytes, "", "content-a", 0, 1);
    CHECK(code(engine.open("vol-2", kBytes - kBlockBytes, "content-a")) == Code::invalid_argument);
}

TEST_CASE("a chain that does not fit together is refused") {
    const auto record = [](const char* id, const char* parent, const char* layer,
                           std::uint64_t bytes) {
        ContentRecord r;
        r.id = ContentId(id);
        r.parent = ContentId(parent);
        r.layer = LayerId(layer);
        r.size_bytes = bytes;
        return r;
    };
    const auto check = [](std::vector<ContentRecord> chain) {
        return check_chain(std::move(chain), ContentId("a"), 8192);
    };
    CHECK(check({record("a", "b", "l-a", 8192), record("b", "", "l-b", 4096)}));
    CHECK(check({}).error().code() == Code::data_loss);
    CHECK(check({record("b", "", "l-b", 4096)}).error().code() == Code::data_loss);
    CHECK(check({record("a", "b", "l-a", 8192)}).error().code() == Code::data_loss);
    CHECK(check({record("a", "", "l-a", 8192), record("b", "", "l-b", 4096)}).error().code() ==
          Code::data_loss);
    CHECK(check({record("a", "b", "l-a", 4096), record("b", "", "l-b", 8192)}).error().code() ==
          Code::data_loss);
    CHECK(check({record("a", "", "", 4096)}).error().code() == Code::data_loss);
    CHECK(check({record("a", "", "l-a", 12288)}).error().code() == Code::invalid_argument);
}

TEST_CASE("layers are listed by their files and dropped whole; other files are left alone") {
    TestEngine engine;
    REQUIRE(engine.open("vol-1", kBytes));
    CHECK(engine->write(kVolume, 0, Bytes(kBytes, 1), soon()));
    REQUIRE(write_file_atomic(engine.options.directory + "/d-l-old-0003.blk", ""));
    REQUIRE(write_file_atomic(engine.options.directory + "/notes.txt", ""));
    REQUIRE(write_file_atomic(engine.options.directory + "/d-.map", ""));
    CHECK(engine->list_layers().value() ==
          std::vector<LayerId>{LayerId("l-old"), LayerId("l-vol-1")});
    CHECK(engine->close_volume(kVolume, soon()));
    CHECK(engine->drop_layer(LayerId("l-vol-1"), soon()));
    CHECK(engine->drop_layer(LayerId("l-vol-1"), soon()));  // missing is fine
    CHECK(engine->drop_layer(LayerId("l"), soon()));        // a prefix of others
    CHECK(engine->list_layers().value() == std::vector<LayerId>{LayerId("l-old")});
    CHECK(std::filesystem::exists(engine.options.directory + "/notes.txt"));
}

TEST_CASE("calls come from many threads at once") {
    TestEngine engine;
    constexpr int kThreads = 6;
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
            const std::string name = "vol-" + std::to_string(i);
            const VolumeId id(name);
            bool fine = engine.open(name, kBytes).has_value();
            for (int n = 0; n < 20; ++n) {
                fine = fine && engine->write(id, static_cast<std::uint64_t>(n) * 5000,
                                             Bytes(5000, static_cast<std::uint8_t>(n)), soon());
            }
            fine = fine &&
                   engine->read(id, 5000 * 19, 5000, soon()).value_or(Bytes()) == Bytes(5000, 19);
            fine = fine && engine->close_volume(id, soon());
            good += fine ? 1 : 0;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(good == kThreads);
    CHECK(engine->list_layers().value().size() == kThreads);
}

TEST_CASE("a missed deadline is an error; the operation goes on, and the engine ends cleanly") {
    TestEngine engine;
    const auto passed = Deadline::after(std::chrono::milliseconds(0));
    CHECK(engine->open_volume({kVolume, kBytes, ContentId(), LayerId("l-vol-1"), true}, passed)
              .error()
              .code() == Code::deadline_exceeded);
    engine.restart();  // while it may still be opening
    CHECK(engine->list_layers().value() == std::vector<LayerId>{LayerId("l-vol-1")});
    REQUIRE(engine.open("vol-1", kBytes));
    CHECK(engine->write(kVolume, 0, Bytes(100, 1), passed).error().code() ==
          Code::deadline_exceeded);
    CHECK(engine->close_volume(kVolume, soon()));  // waits for it
    REQUIRE(engine.open("vol-1", kBytes));
    CHECK(engine->read(kVolume, 0, 1, soon()).value() == Bytes{1});
}

TEST_CASE("a content whose answer comes late, on another thread, is waited for") {
    class Late final : public ContentStore {
      public:
        ~Late() override {
            if (thread_.joinable()) {
                thread_.join();
            }
        }
        void chain(const ContentId&, ChainDone done) override {
            thread_ = std::thread([this, done = std::move(done)] {
                may_answer.get_future().wait();
                done(Error(Code::not_found, "content"));
            });
        }
        std::promise<void> may_answer;

      private:
        std::thread thread_;
    };
    Late late;
    TempDir dir;
    const auto clock = io::make_system_clock();
    const auto rng = io::make_system_rng();
    EngineOptions options;
    options.directory = dir / "layers";
    options.store_uuid = "store";
    auto engine = Engine::create(options, make_memory_tier(), late, *clock, *rng);
    REQUIRE(engine);
    const VolumeSpec spec{kVolume, kBytes, ContentId("c"), LayerId("l-1"), true};
    CHECK((*engine)
              ->open_volume(spec, Deadline::after(std::chrono::milliseconds(1)))
              .error()
              .code() == Code::deadline_exceeded);
    CHECK((*engine)->is_open(kVolume));  // on its way
    late.may_answer.set_value();
    engine->reset();  // waits for the opening, whatever comes of it
    CHECK(std::filesystem::is_empty(dir / "layers"));
}

TEST_CASE("impossible options are refused") {
    TempDir dir;
    TestContents contents;
    const auto clock = io::make_system_clock();
    const auto rng = io::make_system_rng();
    EngineOptions good;
    good.directory = dir / "layers";
    good.store_uuid = "store";
    CHECK(Engine::create(good, make_memory_tier(), contents, *clock, *rng));
    for (int i = 0; i < 4; ++i) {
        EngineOptions bad = good;
        switch (i) {
            case 0:
                bad.store_uuid = "";
                break;
            case 1:
                bad.store_uuid = std::string(40, 'x');
                break;
            case 2:
                bad.geometry.shard_bytes = 4097;
                break;
            case 3:
                bad.geometry.page_blocks = 100;
                break;
        }
        const auto engine = Engine::create(bad, make_memory_tier(), contents, *clock, *rng);
        REQUIRE(!engine);
        CHECK(engine.error().code() == Code::invalid_argument);
    }
}
