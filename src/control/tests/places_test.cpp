// SPDX-License-Identifier: Apache-2.0
#include "control/places.h"

#include <doctest/doctest.h>

#include "control/zones.h"

using namespace kiln;
using namespace kiln::control;

namespace {

const char kOutpost[] = "arn:aws:outposts:lab-1:111111111111:outpost/op-0123456789abcdef0";
const char kOther[] = "arn:aws:outposts:lab-1:111111111111:outpost/op-0123456789abcdef1";
const char kFarOutpost[] = "arn:aws:outposts:far-2:111111111111:outpost/op-0123456789abcdef2";

std::string code(const Status& status) {
    return status ? "" : status.error().api_code();
}

}  // namespace

TEST_CASE("REG-7: every direction of a copy is allowed or refused") {
    const Place region{"lab-1"};
    const Place far{"far-2"};
    const Place bos{"lab-1", "lab-1-bos-1a"};
    const Place den{"lab-1", "lab-1-den-1a"};
    const Place lax{"far-2", "far-2-lax-1a"};
    const Place outpost{"lab-1", {}, kOutpost};
    const Place other{"lab-1", {}, kOther};
    const Place far_outpost{"far-2", {}, kFarOutpost};
    const Place all[] = {region, far, bos, den, lax, outpost, other, far_outpost};
    const std::pair<Place, Place> allowed[] = {
        {region, region}, {region, far},      {far, region}, {far, far},     // regions
        {region, bos},    {region, den},      {bos, region}, {den, region},  // a local zone's own
        {far, lax},       {lax, far},         {bos, den},    {den, bos},     // one region
        {bos, bos},       {den, den},         {lax, lax},    {region, outpost},  // where it is
        {region, other},  {far, far_outpost},
    };
    std::size_t taken = 0;
    for (const Place& from : all) {
        for (const Place& to : all) {
            const bool may = std::find(std::begin(allowed), std::end(allowed),
                                       std::pair(from, to)) != std::end(allowed);
            CAPTURE(from.region + from.local_zone + from.outpost_arn);
            CAPTURE(to.region + to.local_zone + to.outpost_arn);
            CHECK(code(check_direction(from, to)) == (may ? "" : "InvalidParameterCombination"));
            taken += may ? 1 : 0;
        }
    }
    CHECK(taken == std::size(allowed));
    CHECK(code(check_place_is_built(outpost)) == "UnsupportedOperation");
    CHECK(code(check_place_is_built(bos)).empty());
}

TEST_CASE("REG-5: UEFI is for availability zones, and not for outposts") {
    Zone local;
    local.name = "lab-1-bos-1a";
    local.type = ZoneType::local_zone;
    Zone plain;
    plain.name = "lab-1a";
    const Topology topology({{"lab-1", "", {plain, local}}});
    CHECK(has_uefi(topology, "lab-1", "lab-1a", ""));
    CHECK_FALSE(has_uefi(topology, "lab-1", "lab-1a", kOutpost));
    CHECK_FALSE(has_uefi(topology, "lab-1", "lab-1-bos-1a", ""));
    CHECK(has_uefi(topology, "lab-1", "lab-1z", ""));  // it has left the file
}
