// SPDX-License-Identifier: Apache-2.0
// A catalog of 100,000 images: filtered lists find what they should. The times are printed, not
// judged: that a list goes through an index is held by sqlite_test, and a busy machine proves
// nothing about milliseconds.
#include <chrono>
#include <string>

#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // takes minutes and shows nothing that smaller tests do not
#else
constexpr bool kSanitized = false;
#endif

constexpr unsigned kImages = 100'000;
constexpr unsigned kOwners = 10;
constexpr unsigned kSnapshots = 50'000;

// Owners, regions and states mixed; every fifth image public, every tenth tagged, two images per
// snapshot.
Status fill(Transaction& tx) {
    for (unsigned n = 0; n < kImages; ++n) {
        model::Image image = full_image();
        image.id = model::ImageId(id_of("ami", n));
        image.name = "team-" + std::to_string(n % 100) + "/image-" + std::to_string(n);
        image.owner_id = model::make_account_id(n % kOwners);
        image.state = model::ImageState::available;
        image.created = UnixMillis{n};
        image.launch_permissions = {n % 5 == 0, {}};
        image.block_device_mappings[0].ebs->snapshot_id =
            model::SnapshotId(id_of("snap", n % kSnapshots));
        TRY(tx.images().insert(image));
        if (n % 10 == 0) {
            TRY(tx.tags().put({image.owner_id, image.region, "image", image.id.str()},
                              {{"build", std::to_string(n / 100)}}));
        }
    }
    return ok();
}

std::size_t timed(Store& store, const std::string& what, const ImageQuery& query) {
    const auto begin = std::chrono::steady_clock::now();
    const auto found = store.read([&](Transaction& tx) { return tx.images().list(query); });
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    REQUIRE(found.has_value());
    MESSAGE(what << ": " << found->size() << " of 100000 images in " << took.count() << " ms");
    return found->size();
}

}  // namespace

TEST_CASE_TEMPLATE("filtered lists of a catalog of 100,000 images" * doctest::test_suite("slow"),
                   Backend, KILN_STORE_BACKENDS) {
    if (kSanitized) {
        MESSAGE("skipped: built with a sanitizer");
        return;
    }
    Backend backend;
    auto store = backend.open({.inject_retry_percent = 0});
    REQUIRE(store->run(fill).has_value());
    const model::AccountId owner = model::make_account_id(0);
    const std::string region = "us-east-1";

    CHECK(timed(*store, "by id", {.ids = {model::ImageId(id_of("ami", 77'777))}}) == 1);
    CHECK(timed(*store, "by name",
                {.region = region, .visible_to = owner, .names = {"team-7/image-50007"}}) == 0);
    CHECK(timed(*store, "by own name",
                {.region = region, .owners = {owner}, .names = {"team-0/image-50000"}}) == 1);
    CHECK(timed(*store, "by the beginning of a name",
                {.region = region, .owners = {owner}, .name_prefix = "team-0/image-500"}) == 3);
    CHECK(timed(*store, "by tag",
                {.region = region, .visible_to = owner, .tags = {{owner, "build", {"77"}}}}) == 10);
    CHECK(timed(*store, "by snapshot", {.uses_snapshot = model::SnapshotId(id_of("snap", 5))}) ==
          2);
    CHECK(timed(*store, "a page of one's own",
                {.region = region,
                 .owners = {owner},
                 .page = {Cursor{UnixMillis{40'000}, id_of("ami", 40'000)}, 100}}) == 100);
    CHECK(timed(*store, "a page of what one may launch",
                {.region = region,
                 .visible_to = owner,
                 .page = {Cursor{UnixMillis{40'000}, id_of("ami", 40'000)}, 100}}) == 100);
}
