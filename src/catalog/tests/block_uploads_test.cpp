// SPDX-License-Identifier: Apache-2.0
#include "catalog/block_uploads.h"

#include <doctest/doctest.h>

#include "catalog/store.h"
#include "catalog/tests/backends.h"

using namespace kiln;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

namespace {

using Blocks = std::vector<model::UploadedBlock>;

const model::SnapshotId kOne("snap-00000000000000001");
const model::SnapshotId kOther("snap-00000000000000002");

Bytes digest(std::uint8_t fill) {
    return Bytes(32, fill);
}

}  // namespace

TEST_CASE("an upload is kept, changed and erased with its blocks and no others") {
    SqliteBackend backend;
    const auto store = backend.open();
    const Status done = store->run([](Transaction& tx) -> Status {
        BlockUploads uploads = tx.uploads();
        model::BlockUpload one{kOne, kOther, 600'000, UnixMillis{5}, false};
        TRY(uploads.insert(one));
        TRY(uploads.insert({kOther, {}, 1, UnixMillis{6}, true}));
        one.active = UnixMillis{7};
        one.completing = true;
        TRY(uploads.update(one));
        TRY_ASSIGN(const auto found, uploads.find(kOne));
        CHECK(found == one);
        TRY(uploads.put(kOther, {3, digest(3), {}}));
        // 64 TiB end here; the second one takes the first one's place.
        TRY(uploads.put(kOne, {134'217'727, digest(1), {}}));
        TRY(uploads.put(kOne, {7, {}, digest(2)}));
        TRY(uploads.put(kOne, {7, digest(2), digest(4)}));
        TRY(uploads.put(kOne, {0, digest(5), {}}));
        TRY_ASSIGN(const auto count, uploads.count(kOne));
        CHECK(count == 3);
        TRY_ASSIGN(const auto first, uploads.blocks(kOne, 0, 2));
        CHECK(first == Blocks{{0, digest(5), {}}, {7, digest(2), digest(4)}});
        TRY_ASSIGN(const auto rest, uploads.blocks(kOne, 8, 2));
        CHECK(rest == Blocks{{134'217'727, digest(1), {}}});
        TRY_ASSIGN(const auto unsettled, uploads.unsettled(kOne));
        CHECK(unsettled == Blocks{{7, digest(2), digest(4)}});
        TRY_ASSIGN(const auto none, uploads.find_block(kOne, 6));
        CHECK_FALSE(none);
        TRY(uploads.erase_block(kOne, 7));
        TRY_ASSIGN(const auto gone, uploads.find_block(kOne, 7));
        CHECK_FALSE(gone);
        TRY(uploads.erase(kOne));
        TRY_ASSIGN(const auto erased, uploads.find(kOne));
        CHECK_FALSE(erased);
        TRY_ASSIGN(const auto left, uploads.count(kOne));
        CHECK(left == 0);
        TRY_ASSIGN(const auto others, uploads.count(kOther));
        CHECK(others == 1);
        const Status missing = uploads.update(one);
        REQUIRE_FALSE(missing);
        CHECK(missing.error().code() == Code::not_found);
        return ok();
    });
    CHECK(done);
}
