// SPDX-License-Identifier: Apache-2.0
// The tokens of the block API: what they are good for, and what they are not.
#include "control/block_tokens.h"

#include "control/tests/shifted_clock.h"
#include "control/tests/test_service.h"
#include "util/encoding.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

using Kind = BlockTokens::Kind;
constexpr char kSnapshot[] = "snap-0123456789abcdef0";
constexpr std::uint64_t kLast = 134'217'727;

}  // namespace

TEST_CASE("ED-10: a token is good for its account, region, snapshot and kind, until its end") {
    const auto real = io::make_system_clock();
    ShiftedClock clock(*real);
    const BlockTokens tokens(Bytes(32, 7), clock);
    const UnixMillis end = tokens.end_of(Kind::block);
    const std::string token = tokens.issue(Kind::block, kAlice, kSnapshot, kLast, end);
    CHECK(token.size() <= 256);
    CHECK(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "+/=") == std::string::npos);
    CHECK(tokens.open(Kind::block, kAlice, kSnapshot, token) == kLast);
    CHECK_FALSE(tokens.open(Kind::block, kBob, kSnapshot, token));
    CHECK_FALSE(tokens.open(Kind::block, kAlice, "snap-0123456789abcdef1", token));
    CHECK_FALSE(tokens.open(Kind::blocks_page, kAlice, kSnapshot, token));
    Caller elsewhere = kAlice;
    elsewhere.region = "eu-west-1";
    CHECK_FALSE(tokens.open(Kind::block, elsewhere, kSnapshot, token));
    CHECK_FALSE(BlockTokens(Bytes(32, 8), clock).open(Kind::block, kAlice, kSnapshot, token));
    clock.shift(std::chrono::hours(7 * 24) - std::chrono::minutes(1));
    CHECK(tokens.open(Kind::block, kAlice, kSnapshot, token) == kLast);
    clock.shift(std::chrono::hours(7 * 24) + std::chrono::minutes(1));
    CHECK_FALSE(tokens.open(Kind::block, kAlice, kSnapshot, token));
}

TEST_CASE("ED-8: a page token ends after an hour") {
    const auto real = io::make_system_clock();
    ShiftedClock clock(*real);
    const BlockTokens tokens(Bytes(32, 7), clock);
    const std::string token =
        tokens.issue(Kind::blocks_page, kAlice, kSnapshot, 5, tokens.end_of(Kind::blocks_page));
    clock.shift(std::chrono::minutes(59));
    CHECK(tokens.open(Kind::blocks_page, kAlice, kSnapshot, token) == 5);
    clock.shift(std::chrono::minutes(61));
    CHECK_FALSE(tokens.open(Kind::blocks_page, kAlice, kSnapshot, token));
}

TEST_CASE("ED-10: a token with any bit changed, or another length, is none") {
    const auto real = io::make_system_clock();
    const BlockTokens tokens(Bytes(32, 7), *real);
    const std::string token =
        tokens.issue(Kind::block, kAlice, kSnapshot, 5, tokens.end_of(Kind::block));
    const auto bytes = base64_decode(token);
    REQUIRE(bytes);
    for (std::size_t bit = 0; bit < bytes->size() * 8; ++bit) {
        Bytes changed = *bytes;
        changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        CHECK_FALSE(tokens.open(Kind::block, kAlice, kSnapshot, base64_encode(changed)));
    }
    for (std::size_t length = 0; length < token.size(); ++length) {
        CHECK_FALSE(tokens.open(Kind::block, kAlice, kSnapshot, token.substr(0, length)));
    }
    CHECK_FALSE(tokens.open(Kind::block, kAlice, kSnapshot, token + "AAAA"));
}
