// SPDX-License-Identifier: Apache-2.0
// Snapshots streamed out: who may, which bytes, and what is left behind.
#include "control/disk_exports.h"

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

constexpr std::uint64_t kDisk = 4U << 20;

Imported import_disk(TestService& service, const Bytes& disk, RegisterImageInput image) {
    Imports imports(*service.parts, [&] { service.jobs->poke(); });
    ImportInput input;
    image.architecture = model::Architecture::x86_64;
    image.virtualization_type = model::VirtualizationType::hvm;
    image.root_device_name = "/dev/xvda";
    input.image = std::move(image);
    input.size_bytes = disk.size();
    auto import = imports.begin(kAlice, input);
    REQUIRE_MESSAGE(import, (import ? "" : import.error().to_string()));
    REQUIRE((*import)->write(disk));
    auto imported = (*import)->finish();
    REQUIRE_MESSAGE(imported, (imported ? "" : imported.error().to_string()));
    return *imported;
}

RegisterImageInput named(const std::string& name) {
    RegisterImageInput image;
    image.name = name;
    return image;
}

Bytes some_disk() {
    Bytes disk(kDisk, 0);
    std::fill_n(disk.begin(), 4096, std::uint8_t{'a'});
    std::fill_n(disk.begin() + (1U << 20) + 5000, 100, std::uint8_t{'b'});
    disk.back() = 'z';
    return disk;
}

// What the export gives, over zeros; runs have to ascend.
Bytes copy_all(DiskExport& disk, std::uint64_t& data_bytes) {
    Bytes bytes(kDisk, 0);
    data_bytes = 0;
    std::uint64_t next = 0;
    const Status copied = disk.copy([&](std::uint64_t offset, ByteView data) {
        REQUIRE(offset >= next);
        REQUIRE(offset + data.size() <= bytes.size());
        std::copy(data.begin(), data.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
        next = offset + data.size();
        data_bytes += data.size();
        return ok();
    });
    REQUIRE_MESSAGE(copied, copied.error().to_string());
    return bytes;
}

std::string refusal(DiskExports& exports, const Caller& caller, const std::string& id) {
    const auto found = exports.find(caller, id);
    return found ? "" : found.error().api_code();
}

}  // namespace

TEST_CASE("an export gives the bytes that are not zeros, before destage and after it") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const Bytes disk = some_disk();
    const Imported made = import_disk(service, disk, named("image"));
    DiskExports exports(*service.parts, [&] { service.jobs->poke(); });
    const auto found = exports.find(kAlice, made.image_id.str());
    REQUIRE(found);
    CHECK(found->snapshot_id == made.snapshot_id);
    CHECK(found->size_bytes == kGiB);
    for (const bool stored : {false, true}) {
        CAPTURE(stored);
        if (stored) {
            service.start_jobs();
            service.wait_rooted(service.row(made.snapshot_id).content);
        }
        const auto out = exports.open(kAlice, made.snapshot_id);
        REQUIRE(out);
        std::uint64_t data_bytes = 0;
        CHECK(copy_all(**out, data_bytes) == disk);
        CHECK(data_bytes == 3 * 4096);
        // Two at a time do not disturb each other.
        const auto again = exports.open(kAlice, made.snapshot_id);
        REQUIRE(again);
        CHECK(copy_all(**again, data_bytes) == disk);
        CHECK((*again)
                  ->copy([](std::uint64_t, ByteView) -> Status {
                      return Error(Code::unavailable, "gone");
                  })
                  .error()
                  .code() == Code::unavailable);
    }
    service.wait_until([&] { return service.engine->list_layers()->empty(); },
                       "nothing holds the layer any more");
}

TEST_CASE("SNP-12: who may not make a volume of a snapshot may not export it") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const Imported made = import_disk(service, some_disk(), named("private"));
    RegisterImageInput shared = named("shared");
    shared.everybody = true;
    const Imported open = import_disk(service, some_disk(), shared);
    DiskExports exports(*service.parts, [&] { service.jobs->poke(); });
    CHECK(refusal(exports, kBob, made.snapshot_id.str()) == "InvalidSnapshot.NotFound");
    CHECK(refusal(exports, kBob, made.image_id.str()) == "AuthFailure");
    CHECK(refusal(exports, kBob, open.image_id.str()) == "UnauthorizedOperation");
    CHECK(refusal(exports, kBob, open.snapshot_id.str()) == "InvalidSnapshot.NotFound");
    CHECK(exports.open(kBob, open.snapshot_id).error().api_code() == "InvalidSnapshot.NotFound");
    CHECK(refusal(exports, kAlice, "ami-1") == "InvalidAMIID.Malformed");
    CHECK(refusal(exports, kAlice, "ami-12345678") == "InvalidAMIID.NotFound");
    CHECK(refusal(exports, kAlice, "snap-12345678") == "InvalidSnapshot.NotFound");
    CHECK(refusal(exports, kAlice, "") == "InvalidParameterValue");
    Caller elsewhere = kAlice;
    elsewhere.region = "eu-west-1";
    CHECK(refusal(exports, elsewhere, made.snapshot_id.str()) == "InvalidSnapshot.NotFound");
    // A pending snapshot has no bytes yet.
    REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto snapshot, tx.snapshots().get(made.snapshot_id));
        snapshot.state = model::SnapshotState::pending;
        return tx.snapshots().update(snapshot);
    }));
    CHECK(refusal(exports, kAlice, made.snapshot_id.str()) == "IncorrectState");
}
