// SPDX-License-Identifier: Apache-2.0
#include "crypto/aead.h"

#include <doctest/doctest.h>

#include "util/encoding.h"

using namespace kiln;
using namespace kiln::crypto;

namespace {

Bytes hex(std::string_view text) {
    auto bytes = hex_decode(text);
    REQUIRE(bytes.has_value());
    return std::move(*bytes);
}

}  // namespace

TEST_CASE("AES-256-GCM gives the values of its specification") {
    // McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13, 14 and 16.
    const Bytes zero_key(kAeadKeyBytes);
    const Bytes zero_nonce(kAeadNonceBytes);
    CHECK(hex_encode(seal_aead(zero_key, zero_nonce, {}, {})) ==
          "530f8afbc74536b9a963b4f1c4cb738b");
    CHECK(hex_encode(seal_aead(zero_key, zero_nonce, {}, Bytes(16))) ==
          "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    const Bytes key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    const Bytes nonce = hex("cafebabefacedbaddecaf888");
    const Bytes bound = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    const Bytes text = hex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
        "49a6b525b16aedf5aa0de657ba637b39");
    const Bytes sealed = seal_aead(key, nonce, bound, text);
    CHECK(
        hex_encode(sealed) ==
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056"
        "828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
    CHECK(open_aead(key, nonce, bound, sealed) == text);
}

TEST_CASE("what was sealed opens as a whole, with its key, nonce and binding, or not at all") {
    const Bytes key(kAeadKeyBytes, 7);
    const Bytes nonce(kAeadNonceBytes, 9);
    const Bytes bound{1, 2, 3};
    const Bytes text{4, 5, 6, 7};
    const Bytes sealed = seal_aead(key, nonce, bound, text);
    CHECK(open_aead(key, nonce, bound, sealed) == text);
    CHECK(open_aead(key, nonce, {}, seal_aead(key, nonce, {}, {})) == Bytes());
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        CAPTURE(i);
        Bytes changed = sealed;
        changed[i] ^= 1;
        CHECK_FALSE(open_aead(key, nonce, bound, changed).has_value());
        CHECK_FALSE(open_aead(key, nonce, bound, ByteView(sealed).first(i)).has_value());
    }
    CHECK_FALSE(open_aead(Bytes(kAeadKeyBytes, 8), nonce, bound, sealed).has_value());
    CHECK_FALSE(open_aead(key, Bytes(kAeadNonceBytes, 8), bound, sealed).has_value());
    CHECK_FALSE(open_aead(key, nonce, Bytes{1, 2}, sealed).has_value());
}
