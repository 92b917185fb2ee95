// SPDX-License-Identifier: Apache-2.0
// Scenes that histories came upon, short.
#include <doctest/doctest.h>

#include "block/detail/layer_files.h"
#include "block/local_layer.h"
#include "io/sim_reactor.h"

using namespace kiln;
using namespace kiln::block;

namespace {

struct Host {
    explicit Host(io::SimMachine& machine)
        : rng(machine.random),
          reactor(machine),
          context{.io = reactor,
                  .scheduler = reactor,
                  .rng = rng,
                  .directory = "/store",
                  .store_uuid = "store",
                  .boot_id = machine.boot_id(),
                  .geometry = {.shard_bytes = 32 << 10,
                               .page_blocks = 64,
                               .directory_pages = 1,
                               .journal_bytes = 16 << 10,
                               .journal_first_bytes = 8 << 10}} {}
    ~Host() {
        while (reactor.step()) {
        }
    }
    template <class T, class Start>
    Result<T> await(Start start) {
        std::optional<Result<T>> result;
        start([&](Result<T> value) { result.emplace(std::move(value)); });
        while (!result && reactor.step()) {
        }
        REQUIRE(result);
        return std::move(*result);
    }
    Result<std::shared_ptr<Layer>> open(bool create) {
        return await<std::shared_ptr<Layer>>([&](auto done) {
            open_local_layer(context,
                             {.layer = LayerId("l-1"),
                              .volume = VolumeId("vol-1"),
                              .size_bytes = 64 << 10,
                              .writable = true,
                              .create = create},
                             done);
        });
    }
    io::SimRng rng;
    io::SimReactor reactor;
    LayerContext context;
};

}  // namespace

TEST_CASE("a layer being removed when the power goes is there whole, or not at all") {
    int whole = 0;
    int gone = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        io::SimMachine machine(seed);
        {
            Host host(machine);
            auto layer = host.open(true);
            REQUIRE(layer);
            REQUIRE(host.await<void>([&](Done done) { (*layer)->close(std::move(done)); }));
            bool removed = false;
            remove_layer_files(host.context, LayerId("l-1"), [&](Status) { removed = true; });
            for (auto steps = machine.random.below(24); steps > 0 && !removed; --steps) {
                host.reactor.step();
            }
            host.reactor.crash(io::Crash::power_loss);
        }
        Host host(machine);
        auto layer = host.open(false);
        if (layer) {
            ++whole;
            CHECK(host.await<void>([&](Done done) { (*layer)->close(std::move(done)); }));
        } else {
            ++gone;
            REQUIRE_MESSAGE(layer.error().code() == Code::not_found, layer.error().to_string());
            // And can be made anew.
            auto fresh = host.open(true);
            REQUIRE(fresh);
            CHECK(host.await<void>([&](Done done) { (*fresh)->close(std::move(done)); }));
        }
    }
    CHECK(whole > 20);
    CHECK(gone > 20);
}
