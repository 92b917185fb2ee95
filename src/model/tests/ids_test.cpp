// SPDX-License-Identifier: Apache-2.0
#include "model/ids.h"

#include <doctest/doctest.h>

#include "model/block_device.h"
#include "model/idempotency.h"
#include "model/machine.h"

using namespace kiln;
using namespace kiln::model;

namespace {
struct CountingRng {
    void fill(std::span<std::uint8_t> out) {
        for (std::uint8_t& byte : out) {
            byte = static_cast<std::uint8_t>(0x01 + 0x22 * next++);
        }
    }
    unsigned next = 0;
};
}  // namespace

TEST_CASE("ID-1: a new id is its prefix and 17 lower-case hex digits") {
    CountingRng rng;
    const auto id = make_id<ImageId>(rng);
    CHECK(id.str() == "ami-0123456789abcdef1");
    CHECK(is_well_formed_id("ami", id.str()));
    CHECK(make_id<SnapshotId>(rng).str().size() == std::string("snap-").size() + 17);
}

TEST_CASE("ID-1: 8 digits are well-formed as well, other lengths and characters are not") {
    CHECK(is_well_formed_id("i", "i-12345678"));
    CHECK(is_well_formed_id("i", "i-0123456789abcdef0"));
    for (const char* bad :
         {"", "i", "i-", "i-1234567", "i-123456789", "i-0123456789ABCDEF0", "i-0123456789abcdeg0",
          "j-12345678", "i-12345678 ", "i12345678x", "i-0123456789abcdef01"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_well_formed_id("i", bad));
    }
}

TEST_CASE("ID-4: a malformed id is refused with the code of its kind") {
    CHECK(parse_image_id("aki-12345678")->str() == "aki-12345678");
    CHECK(parse_image_id("ami-x").error().api_code() == "InvalidAMIID.Malformed");
    CHECK(parse_image_id("ami-x").error().message() == "Invalid id: \"ami-x\"");
    CHECK(parse_instance_id("ami-12345678").error().api_code() == "InvalidInstanceID.Malformed");
    CHECK(parse_key_pair_id("key-12345678").has_value());
    CHECK(parse_key_pair_id("kp-1").error().message() ==
          "Value (kp-1) for parameter keyPairId is invalid. Expected: 'key-...'.");
    CHECK(parse_volume_id("v").error().message() ==
          "Value (v) for parameter volumeId is invalid. Expected: 'vol-...'.");
    CHECK(parse_snapshot_id("snap-").error().api_code() == "InvalidParameterValue");
    CHECK(parse_account_id("12345678901").error().api_code() == "InvalidUserID.Malformed");
    CHECK(parse_account_id("012345678901").has_value());
}

TEST_CASE("accounts and access keys have the shapes that clients check") {
    CHECK(make_account_id(42).str() == "000000000042");
    CHECK(make_account_id(999'999'999'999).str() == "999999999999");
    std::array<std::uint8_t, 10> random{};
    random.fill(0xff);
    CHECK(make_access_key_id(random).str() == "AKIA7777777777777777");
    random.fill(0);
    CHECK(make_access_key_id(random).str() == "AKIAAAAAAAAAAAAAAAAA");
    std::array<std::uint8_t, 30> secret{};
    CHECK(make_secret_key(secret).size() == 40);
}

TEST_CASE("the text of an enumerator is read back, and nothing else is") {
    CHECK(to_string(BootMode::uefi_preferred) == "uefi-preferred");
    CHECK(parse<BootMode>("legacy-bios") == BootMode::legacy_bios);
    CHECK_FALSE(parse<BootMode>("UEFI").has_value());
    CHECK_FALSE(parse<Architecture>("").has_value());
}

TEST_CASE("BDM-5: device names are compared without a leading /dev/") {
    CHECK(same_device("xvdb", "/dev/xvdb"));
    CHECK_FALSE(same_device("sda1", "xvda"));
}

TEST_CASE("IDM-3: the id of a token differs when any of its parts does") {
    IdempotencyToken token{
        AccountId("000000000001"), "us-east-1", "RunInstances", "a/b", "", "", {}};
    IdempotencyToken other = token;
    CHECK(token.id() == other.id());
    other.token = "a/B";
    CHECK(token.id() != other.id());
}
