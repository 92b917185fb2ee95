// SPDX-License-Identifier: Apache-2.0
// What an import may say of its image beyond RegisterImage.
#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

TEST_CASE("an import takes the id that an administrator chose, once for ever") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    Imports imports(*service.parts, [] {});
    ImportInput input;
    input.image.name = "chosen";
    input.image.architecture = model::Architecture::x86_64;
    input.image.virtualization_type = model::VirtualizationType::hvm;
    input.image.root_device_name = "/dev/xvda";
    input.image.id = model::ImageId("ami-0123456789abcdef0");
    input.image.windows = true;
    input.image.everybody = true;
    const Bytes disk(4096, 1);
    input.size_bytes = disk.size();
    auto import = imports.begin(kAlice, input);
    REQUIRE_MESSAGE(import, (import ? "" : import.error().to_string()));
    // Another one with the same id, begun before it is taken, fails at its end.
    ImportInput rival = input;
    rival.image.name = "rival";
    auto late = imports.begin(kAlice, rival);
    REQUIRE(late);
    REQUIRE((*import)->write(disk));
    const auto made = (*import)->finish();
    REQUIRE_MESSAGE(made, (made ? "" : made.error().to_string()));
    CHECK(made->image_id == input.image.id);
    const auto row = service.store->read(
        [&](catalog::Transaction& tx) { return tx.images().get(input.image.id); });
    REQUIRE(row);
    CHECK(row->platform == "windows");
    CHECK(row->platform_details == "Windows");
    CHECK(row->usage_operation == "RunInstances:0002");
    CHECK(row->launch_permissions.everybody);
    REQUIRE((*late)->write(disk));
    CHECK((*late)->finish().error().api_code() == "InvalidParameterValue");

    Images images(*service.parts);
    REQUIRE(images.deregister(kAlice, {input.image.id}));
    CHECK(imports.begin(kAlice, input).error().api_code() == "InvalidParameterValue");
    input.image.id = model::ImageId("ami-0123456789abcdef1");
    CHECK(imports.begin(kBob, input).error().api_code() == "UnauthorizedOperation");
    CHECK(imports.begin(kAlice, input));
}
