// SPDX-License-Identifier: Apache-2.0
// The signatures of identity documents: where they stand, whose key makes them, how long it is
// kept. That they verify: crypto/tests/document_signer_test.cpp and
// tests/conformance/instance_identity.py.
#include "control/metadata_signatures.h"

#include "control/tests/metadata_world.h"
#include "util/encoding.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

std::string read(Metadata& metadata, std::string_view name) {
    const auto instance = metadata.instance(kInstance);
    REQUIRE(instance.has_value());
    const auto names = split_metadata_path("dynamic/instance-identity/" + std::string(name));
    const auto found = metadata.find(*instance, *names);
    REQUIRE(found.has_value());
    return *found ? (*found)->text : "(absent)";
}

std::string stored_key(World& world) {
    const auto stored = world.store().read(
        [](catalog::Transaction& tx) { return tx.meta().find("identity_document_key"); });
    REQUIRE((stored && *stored));
    return **stored;
}

Bytes decoded(std::string text) {
    std::erase(text, '\n');
    auto bytes = base64_decode(text);
    REQUIRE(bytes.has_value());
    return std::move(*bytes);
}

}  // namespace

TEST_CASE(
    "IMDS-10 IMDS-12: the signatures are listed beside the document and are those of its key") {
    World world;
    world.insert(full_instance());
    const auto metadata = world.metadata();
    CHECK(read(*metadata, "") == "document\npkcs7\nrsa2048\nsignature");
    const std::string document = read(*metadata, "document");
    const auto signer = crypto::DocumentSigner::load(stored_key(world));
    REQUIRE(signer.has_value());
    CHECK(read(*metadata, "signature") == signer->sign(as_bytes(document)));
    const std::string attached =
        signer->sign_attached(as_bytes(document), full_instance().launched);
    CHECK(read(*metadata, "pkcs7") == attached);
    CHECK(read(*metadata, "rsa2048") == attached);
    const Bytes der = decoded(attached);
    CHECK(as_text(der).find(document) != std::string_view::npos);
    world.clock().advance(std::chrono::hours(24));  // the same until the next start
    CHECK(read(*metadata, "pkcs7") == attached);

    model::Instance started = full_instance();
    started.launched.value += 60'000;
    world.update(started);
    CHECK(read(*metadata, "document") != document);
    CHECK(read(*metadata, "signature") == signer->sign(as_bytes(read(*metadata, "document"))));
    CHECK(read(*metadata, "pkcs7") != attached);
}

TEST_CASE(
    "IMDS-10: the key is made once, is the store's own, and shows in nothing but signatures") {
    World world;
    world.insert(full_instance());
    std::string certificate;
    std::string signature;
    {
        const auto metadata = world.metadata();
        certificate = metadata->signatures().certificate();
        signature = read(*metadata, "signature");
    }
    world.clock().advance(std::chrono::hours(1));
    const auto metadata = world.metadata();  // as after a restart
    CHECK(metadata->signatures().certificate() == certificate);
    CHECK(read(*metadata, "signature") == signature);
    CHECK(certificate.find("PRIVATE") == certificate.npos);
    CHECK(stored_key(world).ends_with(certificate));

    World another;
    another.insert(full_instance());
    const auto others = another.metadata();
    CHECK(read(*others, "document") == read(*metadata, "document"));
    CHECK(others->signatures().certificate() != certificate);
    CHECK(read(*others, "signature") != signature);
}

TEST_CASE("IMDS-10: a key that cannot be read is an error and is not replaced") {
    World world;
    REQUIRE(world.store()
                .run([](catalog::Transaction& tx) {
                    return tx.meta().set("identity_document_key", "none");
                })
                .has_value());
    const auto made = MetadataSignatures::create(world.store(), world.clock());
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().code() == Code::data_loss);
    CHECK(stored_key(world) == "none");
}
