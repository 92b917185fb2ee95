// SPDX-License-Identifier: Apache-2.0
#include "control/tests/test_service.h"
#include "control/volumes.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

constexpr std::size_t kMost = 1000;

Status add_rows(catalog::Transaction& tx, TestService& service, std::size_t count) {
    for (std::size_t n = 0; n < count; ++n) {
        model::LayerRecord layer;
        layer.id = model::make_id<model::LayerId>(*service.rng);
        layer.size_bytes = 1ULL << 30;
        TRY(tx.layers().insert(layer));
        model::Volume volume;
        volume.id = model::make_id<model::VolumeId>(*service.rng);
        volume.owner_id = kAlice.account;
        volume.region = kAlice.region;
        volume.state = model::VolumeState::available;
        volume.size_gib = 1;
        volume.active_layer = layer.id;
        TRY(tx.volumes().insert(volume));
    }
    return ok();
}

}  // namespace

TEST_CASE("PAG-2: a page of volumes holds up to 1000, also when more is asked for") {
    TempDir directory;
    TestService service(directory.path());
    service.recover();
    REQUIRE(service.store->run(
        [&](catalog::Transaction& tx) { return add_rows(tx, service, kMost + 1); }));
    Volumes volumes(*service.parts, *service.volumes, [] {});
    for (const std::int64_t asked : {std::int64_t{1000}, std::int64_t{5000}}) {
        DescribeVolumesInput input;
        input.page.max_results = asked;
        const auto first = volumes.describe(kAlice, input);
        REQUIRE(first);
        CHECK(first->items.size() == kMost);
        input.page.next_token = first->next_token;
        const auto rest = volumes.describe(kAlice, input);
        REQUIRE(rest);
        CHECK(rest->items.size() == 1);
        CHECK(rest->next_token.empty());
    }
}
