// SPDX-License-Identifier: Apache-2.0
#include "crypto/hash.h"

#include <doctest/doctest.h>

#include "crypto/detail/sha256_lanes.h"
#include "util/encoding.h"

using namespace kiln;
using namespace kiln::crypto;

TEST_CASE("sha256 gives the digests of FIPS 180-4's examples") {
    CHECK(sha256_hex({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_hex(as_bytes("abc")) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256_hex(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE(
    "a stream hashed in pieces has the digest of the whole, and the object can be used again") {
    const Bytes million(1'000'000, 'a');
    Sha256 hash;
    for (int round = 0; round < 2; ++round) {
        std::size_t at = 0;
        for (std::size_t step = 1; at < million.size(); step = step * 3 + 1) {
            const std::size_t count = std::min(step, million.size() - at);
            hash.update(ByteView(million).subspan(at, count));
            at += count;
        }
        CHECK(hex_encode(hash.finish()) ==
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    CHECK(hash.finish() == sha256({}));
}

TEST_CASE("messages hashed together have the digests they have alone") {
    // What OpenSSL says of them is tested above.
    const auto check = [](const std::vector<Bytes>& messages) {
        const std::vector<ByteView> views(messages.begin(), messages.end());
        std::vector<Digest256> digests(views.size());
        sha256_each(views, digests);
        for (std::size_t i = 0; i < views.size(); ++i) {
            INFO("message ", i, " of ", views.size(), ", bytes: ", views[i].size());
            CHECK(digests[i] == sha256(views[i]));
        }
    };
    std::uint64_t state = 1;
    const auto message = [&state](std::size_t bytes) {
        Bytes made(bytes);
        for (std::uint8_t& byte : made) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            byte = static_cast<std::uint8_t>(state >> 56);
        }
        return made;
    };
    SUBCASE("of every length that the padding sees differently") {
        for (std::size_t bytes = 0; bytes <= 200; ++bytes) {
            check({message(bytes), message(bytes), message(bytes), message(bytes)});
        }
    }
    SUBCASE("of a chunk's length, any number of them") {
        for (std::size_t count = 0; count <= 9; ++count) {
            std::vector<Bytes> messages;
            for (std::size_t i = 0; i < count; ++i) {
                messages.push_back(message(65536));
            }
            check(messages);
        }
    }
    SUBCASE("of different lengths") {
        check({message(64), message(64), message(65), message(64), message(64), message(64),
               message(64), message(0), message(0), message(0), message(0), message(3)});
    }
}

TEST_CASE("the lanes are those of the processor, or not there at all") {
    std::array<Digest256, detail::kSha256Lanes> digests;
    const std::array<ByteView, detail::kSha256Lanes> messages = {as_bytes("abc"), as_bytes("abd"),
                                                                 as_bytes("abe"), as_bytes("abf")};
    if (!detail::has_sha256_lanes()) {
        MESSAGE("this processor has no instructions for SHA");
        return;
    }
    detail::sha256_lanes(messages, digests);
    CHECK(hex_encode(digests[0]) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (std::size_t i = 1; i < messages.size(); ++i) {
        CHECK(digests[i] == sha256(messages[i]));
    }
}

TEST_CASE("hmac_sha256 gives the values of RFC 4231, also with an empty and an over-long key") {
    CHECK(hex_encode(hmac_sha256(Bytes(20, 0x0b), as_bytes("Hi There"))) ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK(hex_encode(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(hex_encode(
              hmac_sha256(Bytes(131, 0xaa),
                          as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    CHECK(hex_encode(hmac_sha256({}, {})) ==
          "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("constant_time_equal compares content and length") {
    CHECK(constant_time_equal(as_bytes("same"), as_bytes("same")));
    CHECK(constant_time_equal({}, {}));
    CHECK_FALSE(constant_time_equal(as_bytes("same"), as_bytes("sane")));
    CHECK_FALSE(constant_time_equal(as_bytes("same"), as_bytes("sam")));
}
