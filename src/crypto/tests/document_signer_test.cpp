// SPDX-License-Identifier: Apache-2.0
// Signatures of documents, verified by OpenSSL with the certificate alone.
#include "crypto/document_signer.h"

#include <doctest/doctest.h>
#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "util/encoding.h"
#include "util/strings.h"

using namespace kiln;
using namespace kiln::crypto;

namespace {

constexpr UnixMillis kNow{1'750'000'000'000};
constexpr std::string_view kDocument = "{\n  \"instanceId\" : \"i-0123456789abcdef0\"\n}";

// Making a key takes a while, and one is enough for most.
const std::string& pem() {
    static const std::string made = DocumentSigner::generate("identity of a store", kNow);
    return made;
}

DocumentSigner signer() {
    auto loaded = DocumentSigner::load(pem());
    REQUIRE(loaded.has_value());
    return std::move(*loaded);
}

BIO* buffer(ByteView data) {
    BIO* const bio = BIO_new_mem_buf(data.data(), static_cast<int>(data.size()));
    REQUIRE(bio != nullptr);
    return bio;
}

X509* parse(const std::string& certificate) {
    BIO* const bio = buffer(as_bytes(certificate));
    X509* const parsed = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    REQUIRE(parsed != nullptr);
    return parsed;
}

bool verifies(const std::string& certificate, std::string_view document, ByteView signature) {
    X509* const parsed = parse(certificate);
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    REQUIRE(EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr,
                                 X509_get0_pubkey(parsed)) == 1);
    const bool good = EVP_DigestVerify(context, signature.data(), signature.size(),
                                       reinterpret_cast<const unsigned char*>(document.data()),
                                       document.size()) == 1;
    EVP_MD_CTX_free(context);
    X509_free(parsed);
    ERR_clear_error();
    return good;
}

// The document that a SignedData holds; nothing unless the certificate's key has signed it.
std::optional<std::string> opened(const std::string& certificate, ByteView der) {
    std::optional<std::string> document;
    X509* const parsed = parse(certificate);
    STACK_OF(X509)* const known = sk_X509_new_null();
    REQUIRE(sk_X509_push(known, parsed) == 1);
    const unsigned char* at = der.data();
    CMS_ContentInfo* const cms = d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(der.size()));
    BIO* const out = BIO_new(BIO_s_mem());
    if (cms != nullptr && CMS_verify(cms, known, nullptr, nullptr, out,
                                     CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) == 1) {
        char* text = nullptr;
        const long size = BIO_get_mem_data(out, &text);
        document.emplace(text, static_cast<std::size_t>(size));
    }
    BIO_free(out);
    CMS_ContentInfo_free(cms);
    sk_X509_free(known);
    X509_free(parsed);
    ERR_clear_error();
    return document;
}

Bytes decoded(const std::string& base64) {
    std::string joined = base64;
    joined.erase(std::remove(joined.begin(), joined.end(), '\n'), joined.end());
    auto bytes = base64_decode(joined);
    REQUIRE(bytes.has_value());
    return std::move(*bytes);
}

void check_lines(const std::string& text) {
    const auto all = split(text, '\n');
    for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(all[i].size() <= 76);
        CHECK_FALSE(all[i].empty());
        CHECK((all[i].size() == 76 || i + 1 == all.size()));
    }
}

}  // namespace

TEST_CASE("a signature verifies with the certificate, and with any bit changed does not") {
    const DocumentSigner mine = signer();
    const std::string text = mine.sign(as_bytes(kDocument));
    check_lines(text);
    Bytes signature = decoded(text);
    CHECK(signature.size() == 256);
    CHECK(verifies(mine.certificate(), kDocument, signature));
    CHECK_FALSE(verifies(mine.certificate(), std::string(kDocument) + "\n", signature));
    for (std::size_t i = 0; i < kDocument.size(); ++i) {
        CAPTURE(i);
        std::string changed(kDocument);
        changed[i] = static_cast<char>(changed[i] ^ 1);
        CHECK_FALSE(verifies(mine.certificate(), changed, signature));
    }
    signature[100] ^= 1;
    CHECK_FALSE(verifies(mine.certificate(), kDocument, signature));
}

TEST_CASE("a SignedData holds the document, which verifies as long as no byte of it changes") {
    const DocumentSigner mine = signer();
    const std::string text = mine.sign_attached(as_bytes(kDocument), kNow);
    check_lines(text);
    const Bytes der = decoded(text);
    CHECK(opened(mine.certificate(), der) == std::string(kDocument));
    const auto at = std::search(der.begin(), der.end(), kDocument.begin(), kDocument.end());
    REQUIRE(at != der.end());
    const auto begin = static_cast<std::size_t>(at - der.begin());
    for (std::size_t i = 0; i < kDocument.size(); ++i) {
        CAPTURE(i);
        Bytes changed = der;
        changed[begin + i] ^= 1;
        CHECK_FALSE(opened(mine.certificate(), changed).has_value());
    }
    Bytes changed = der;
    changed.back() ^= 1;  // of the signature
    CHECK_FALSE(opened(mine.certificate(), changed).has_value());
}

TEST_CASE(
    "the same key signs alike, at any time and in any number of threads, another differently") {
    const DocumentSigner mine = signer();
    const std::string bare = mine.sign(as_bytes(kDocument));
    const std::string attached = mine.sign_attached(as_bytes(kDocument), kNow);
    CHECK(mine.sign_attached(as_bytes(kDocument), UnixMillis{kNow.value + 1000}) != attached);
    const DocumentSigner again = signer();
    CHECK(again.certificate() == mine.certificate());
    std::vector<int> different(4, 0);
    std::vector<std::thread> threads;
    for (int& mine_differs : different) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20; ++i) {
                mine_differs += again.sign(as_bytes(kDocument)) == bare ? 0 : 1;
                mine_differs += again.sign_attached(as_bytes(kDocument), kNow) == attached ? 0 : 1;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(different == std::vector<int>(4, 0));

    const auto other = DocumentSigner::load(DocumentSigner::generate("identity of a store", kNow));
    REQUIRE(other.has_value());
    CHECK_FALSE(verifies(other->certificate(), kDocument, decoded(bare)));
    CHECK_FALSE(opened(other->certificate(), decoded(attached)).has_value());
}

TEST_CASE("a certificate names the store, is good from now on, and holds no secret") {
    const std::string text = signer().certificate();
    CHECK(text.starts_with("-----BEGIN CERTIFICATE-----\n"));
    CHECK(text.ends_with("-----END CERTIFICATE-----\n"));
    CHECK(text.find("PRIVATE") == text.npos);
    X509* const parsed = parse(text);
    char name[128];
    X509_NAME_oneline(X509_get_subject_name(parsed), name, sizeof(name));
    CHECK(std::string(name) == "/O=Kiln/CN=identity of a store");
    CHECK(X509_NAME_cmp(X509_get_subject_name(parsed), X509_get_issuer_name(parsed)) == 0);
    CHECK(X509_verify(parsed, X509_get0_pubkey(parsed)) == 1);
    CHECK(EVP_PKEY_get_bits(X509_get0_pubkey(parsed)) == 2048);
    time_t at = kNow.value / 1000;
    CHECK(X509_cmp_time(X509_get0_notBefore(parsed), &at) < 0);  // at the same second: not after it
    at -= 1;
    CHECK(X509_cmp_time(X509_get0_notBefore(parsed), &at) > 0);
    at = 4'102'444'800;  // the year 2100
    CHECK(X509_cmp_time(X509_get0_notAfter(parsed), &at) > 0);
    X509_free(parsed);
}

TEST_CASE("what is no key with its certificate is refused") {
    const DocumentSigner mine = signer();
    const std::string key = pem().substr(0, pem().find("-----BEGIN CERTIFICATE"));
    const std::string other = DocumentSigner::generate("another", kNow);
    const std::string encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (const std::string& text : {std::string(), std::string("x"), key, mine.certificate(),
                                    key + other.substr(other.find("-----BEGIN CERTIFICATE")),
                                    encrypted, std::string(kMaxDocument + 1, '\n')}) {
        CHECK_FALSE(DocumentSigner::load(text).has_value());
    }
    CHECK(DocumentSigner::load(key + mine.certificate()).has_value());
}
