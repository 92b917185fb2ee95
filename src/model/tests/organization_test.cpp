// SPDX-License-Identifier: Apache-2.0
#include "model/organization.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::model;

TEST_CASE("ACC-3: an account is in its organization and in every unit around it") {
    const auto membership =
        parse_membership("111111111111", "o-a1b2c3d4e5", "ou-ab12-11111111/ou-ab12-22222222");
    REQUIRE(membership.has_value());
    const std::string start = "arn:aws:organizations::111111111111:";
    CHECK(arns_of(*membership) ==
          std::vector<std::string>{start + "organization/o-a1b2c3d4e5",
                                   start + "ou/o-a1b2c3d4e5/ou-ab12-11111111",
                                   start + "ou/o-a1b2c3d4e5/ou-ab12-22222222"});
    CHECK(is_organization_arn(arns_of(*membership)[0]));
    CHECK_FALSE(is_unit_arn(arns_of(*membership)[0]));
    CHECK(is_unit_arn(arns_of(*membership)[2]));
    CHECK_FALSE(is_organization_arn(arns_of(*membership)[2]));
    CHECK(unit_path(*membership) == "ou-ab12-11111111/ou-ab12-22222222");
    CHECK(parse_membership("111111111111", "o-a1b2c3d4e5", "")->units.empty());
}

TEST_CASE("ACC-3: what is no organization, unit or path is refused") {
    const auto refused = [](const char* management, const char* organization, const char* units) {
        const auto parsed = parse_membership(management, organization, units);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().api_code() == "InvalidParameterValue");
    };
    constexpr const char* kAccount = "111111111111";
    constexpr const char* kId = "o-a1b2c3d4e5";
    refused("11111111111", kId, "");
    refused("", kId, "");
    refused(kAccount, "o-a1b2c3d4e", "");
    refused(kAccount, "o-A1B2C3D4E5", "");
    refused(kAccount, "r-a1b2c3d4e5", "");
    for (const char* units :
         {"ou-ab12", "ou-ab1-11111111", "ou-ab12-1111111", "ou-ab12-11111111/", "/ou-ab12-11111111",
          "ou-ab12-11111111/ou-ab12-11111111", "r-ab12/ou-ab12-11111111",
          "ou-ab12-11111111/ou-ab12-11111112/ou-ab12-11111113/ou-ab12-11111114/ou-ab12-11111115/"
          "ou-ab12-11111116"}) {
        refused(kAccount, kId, units);
    }
}
