// SPDX-License-Identifier: Apache-2.0
#include "crypto/hash.h"

#include <doctest/doctest.h>

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
