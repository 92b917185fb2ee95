// SPDX-License-Identifier: Apache-2.0
// Key pairs over a catalog.
#include "control/key_pairs.h"

#include "control/tests/metadata_world.h"
#include "util/strings.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

const std::string kLine =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

struct Pairs : World {
    KeyPairs use{store(), clock(), rng(), kDefaultQuotas};

    std::string import(const std::string& name, const std::string& material = kLine,
                       const Caller& who = caller()) {
        ImportKeyPairInput input;
        input.name = name;
        input.material = material;
        clock().advance(std::chrono::milliseconds(1));
        const auto made = use.import(who, input);
        return made ? "" : made.error().api_code();
    }
    std::string names(const DescribeKeyPairsInput& input = {}, const Caller& who = caller()) {
        const auto views = use.describe(who, input);
        if (!views) {
            return views.error().api_code() + ": " + views.error().message();
        }
        std::string text;
        for (const KeyPairView& view : *views) {
            text += (text.empty() ? "" : " ") + view.pair.name;
        }
        return text;
    }
};

}  // namespace

TEST_CASE("KP-2 KP-3: a created pair is described without its private key") {
    Pairs pairs;
    for (const model::KeyType type : {model::KeyType::rsa, model::KeyType::ed25519}) {
        CreateKeyPairInput input;
        input.name = "pair " + std::string(model::to_string(type));
        input.type = type;
        input.tags = {{"key-pair", {{"Name", "web"}}}};
        const auto made = pairs.use.create(caller(), input);
        REQUIRE(made.has_value());
        const bool rsa = type == model::KeyType::rsa;
        CHECK(made->private_key.starts_with(rsa ? "-----BEGIN RSA PRIVATE KEY-----"
                                                : "-----BEGIN OPENSSH PRIVATE KEY-----"));
        CHECK(made->view.pair.fingerprint.size() == (rsa ? 59 : 44));
        CHECK(made->view.pair.public_key.starts_with(rsa ? "ssh-rsa AAAA" : "ssh-ed25519 AAAA"));
        DescribeKeyPairsInput by_id;
        by_id.ids = {made->view.pair.id};
        const auto views = pairs.use.describe(caller(), by_id);
        REQUIRE(views->size() == 1);
        CHECK(views->front().pair == made->view.pair);
        CHECK(views->front().tags == made->view.tags);
    }
    CreateKeyPairInput putty;
    putty.name = "putty";
    putty.type = model::KeyType::ed25519;
    putty.format = KeyFormat::ppk;
    CHECK(pairs.use.create(caller(), putty)->private_key.starts_with("PuTTY-User-Key-File-2: "));
}

TEST_CASE("KP-1: names are unique, printable and of a sane length") {
    Pairs pairs;
    CHECK(pairs.import("web").empty());
    CHECK(pairs.import("web") == "InvalidKeyPair.Duplicate");
    CreateKeyPairInput again;
    again.name = "web";
    again.type = model::KeyType::ed25519;
    CHECK(pairs.use.create(caller(), again).error().message() ==
          "The keypair 'web' already exists.");
    CHECK(pairs.import("web", kLine, caller("222222222222")).empty());
    CHECK(pairs.import("web", kLine, caller("111111111111", "eu-west-1")).empty());
    CHECK(pairs.import("") == "MissingParameter");
    CHECK(pairs.import(std::string(255, 'a')).empty());
    for (const std::string& name :
         {std::string(256, 'a'), std::string("line\nbreak"), std::string(" lead"),
          std::string("trail "), std::string("caf\xC3\xA9"), std::string("\x7f")}) {
        CHECK(pairs.import(name) == "InvalidParameterValue");
    }
}

TEST_CASE("KP-4: an unusable public key is refused, and nothing is stored") {
    Pairs pairs;
    CHECK(pairs.import("a", "hello") == "InvalidKey.Format");
    CHECK(pairs.import("a", "") == "InvalidKey.Format");
    ImportKeyPairInput dry;
    dry.name = "a";
    dry.material = kLine;
    dry.dry_run = true;
    CHECK(pairs.use.import(caller(), dry).error().api_code() == "DryRunOperation");
    dry.dry_run = false;
    dry.tags = {{"instance", {{"a", "b"}}}};
    CHECK(pairs.use.import(caller(), dry).error().api_code() == "InvalidParameterValue");
    CHECK(pairs.names().empty());
}

TEST_CASE("KP-6: pairs are described by name, id and filter, each once, and none of others") {
    Pairs pairs;
    for (const char* name : {"one", "two", "three"}) {
        REQUIRE(pairs.import(name).empty());
    }
    REQUIRE(pairs.import("hers", kLine, caller("222222222222")).empty());
    CHECK(pairs.names() == "one two three");
    DescribeKeyPairsInput input;
    input.names = {"three", "one", "three"};
    CHECK(pairs.names(input) == "one three");
    const auto all = pairs.use.describe(caller(), {});
    input.ids = {all->at(1).pair.id};
    CHECK(pairs.names(input) == "one two three");
    input.filters = {{"key-name", {"t*"}}};
    CHECK(pairs.names(input) == "two three");
    input = {};
    input.filters = {{"fingerprint", {all->at(0).pair.fingerprint}},
                     {"key-pair-id", {all->at(2).pair.id.str()}}};
    CHECK(pairs.names(input) == "three");
    input.filters = {{"name", {"one"}}};
    CHECK(pairs.names(input) == "InvalidParameterValue: The filter 'name' is invalid");
    input = {};
    input.names = {"one", "hers"};
    CHECK(pairs.names(input) == "InvalidKeyPair.NotFound: The key pair 'hers' does not exist");
    input = {};
    input.ids = {model::KeyPairId("key-12345678")};
    CHECK(pairs.names(input).starts_with("InvalidKeyPair.NotFound"));
}

TEST_CASE("KP-7: deleting is by name or id, for the owner alone, and again is no error") {
    Pairs pairs;
    REQUIRE(pairs.import("one").empty());
    REQUIRE(pairs.import("two").empty());
    const auto all = pairs.use.describe(caller(), {});
    const auto remove = [&](const DeleteKeyPairInput& input, const Caller& who = caller()) {
        const auto id = pairs.use.remove(who, input);
        return id ? id->str() : id.error().api_code();
    };
    CHECK(remove({}) == "MissingParameter");
    DeleteKeyPairInput both{"one", all->at(1).pair.id, false};
    CHECK(remove(both).empty());  // they name different pairs
    CHECK(remove({"one", {}, false}, caller("222222222222")).empty());
    CHECK(remove({"one", {}, true}) == "DryRunOperation");
    CHECK(pairs.names() == "one two");
    CHECK(remove({"one", {}, false}) == all->at(0).pair.id.str());
    CHECK(remove({"one", {}, false}).empty());
    CHECK(remove({"", all->at(1).pair.id, false}) == all->at(1).pair.id.str());
    CHECK(pairs.names().empty());
    CHECK(pairs.import("one").empty());
}

TEST_CASE("RUN-6: a launch finds the caller's own pair only") {
    Pairs pairs;
    REQUIRE(pairs.import("web").empty());
    const auto find = [&](const Caller& who) {
        return pairs.store().read(
            [&](catalog::Transaction& tx) { return find_key_pair(tx, who, "web"); });
    };
    CHECK(find(caller())->public_key == kLine);
    CHECK(find(caller("222222222222")).error().message() == "The key pair 'web' does not exist");
}
