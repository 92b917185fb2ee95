// SPDX-License-Identifier: Apache-2.0
// The metadata tree: listings and leaves, and what an instance is told.
#include "control/metadata_tree.h"

#include "control/tests/metadata_world.h"
#include "util/strings.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

MetadataFacts full_facts() {
    MetadataFacts facts;
    facts.instance = full_instance();
    facts.zone_id = "use1-az2";
    facts.interface = interface_facts(facts.instance);
    return facts;
}

std::optional<MetadataTree::Found> find(const MetadataTree& tree, std::string_view path) {
    const auto names = split_metadata_path(path);
    REQUIRE(names.has_value());
    return tree.find(*names);
}

std::string text(const MetadataTree& tree, std::string_view path) {
    const auto found = find(tree, path);
    return found ? found->text : "(absent)";
}

// IMDS-12: what cloud-init does with a directory: every name that its listing shows must be
// readable. Returns the paths of the leaves.
std::vector<std::string> crawl(const MetadataTree& tree, const std::string& directory) {
    std::vector<std::string> leaves;
    const auto listing = find(tree, directory);
    REQUIRE_MESSAGE(listing.has_value(), directory);
    REQUIRE_FALSE(listing->leaf);
    for (const std::string_view line : split(listing->text, '\n')) {
        REQUIRE_FALSE(line.empty());
        if (line.ends_with('/')) {
            const auto below = crawl(tree, directory + std::string(line));
            leaves.insert(leaves.end(), below.begin(), below.end());
            continue;
        }
        const std::size_t equals = line.find('=');
        const std::string path =
            directory + (equals == line.npos
                             ? std::string(line)
                             : std::string(line.substr(0, equals)) + "/openssh-key");
        const auto leaf = find(tree, path);
        REQUIRE_MESSAGE(leaf.has_value(), path);
        CHECK_MESSAGE(leaf->leaf, path);
        leaves.push_back(path);
    }
    return leaves;
}

}  // namespace

TEST_CASE("IMDS-5: a directory lists its children, one per line, directories with a slash") {
    MetadataTree tree;
    tree.put("b/leaf", "1");
    tree.put("b/directory/x", "2");
    tree.put("a", "line 1\nline 2");
    CHECK(text(tree, "/") == "a\nb");  // the topmost listing has no slashes
    CHECK(text(tree, "b/") == "directory/\nleaf");
    CHECK(text(tree, "b") == "directory/\nleaf");
    CHECK(text(tree, "/b//directory/x/") == "2");
    CHECK(text(tree, "a") == "line 1\nline 2");
    CHECK(find(tree, "a")->leaf);
    CHECK_FALSE(find(tree, "b")->leaf);
    CHECK_FALSE(find(tree, "c").has_value());
    CHECK_FALSE(find(tree, "a/b").has_value());
    CHECK_FALSE(find(tree, "b/..").has_value());
    CHECK_FALSE(find(tree, "B/leaf").has_value());
}

TEST_CASE("a value that is made is made when it is read, and is listed like any other") {
    MetadataTree tree;
    int made = 0;
    tree.put("a/given", "1");
    tree.put_made("a/made", [&made] { return std::to_string(++made); });
    CHECK(text(tree, "a/") == "given\nmade");
    CHECK(text(tree, "a/given") == "1");
    CHECK(made == 0);
    CHECK(text(tree, "a/made/") == "1");
    CHECK(find(tree, "a/made")->leaf);
    CHECK(made == 2);
    CHECK_FALSE(find(tree, "a/made/below").has_value());
}

TEST_CASE("a path is taken apart without its escapes, and refused when broken or endless") {
    CHECK(*split_metadata_path("/latest/meta%2Ddata/") ==
          std::vector<std::string>{"latest", "meta-data"});
    CHECK(*split_metadata_path("/a%2fb") == std::vector<std::string>{"a/b"});  // one name
    CHECK(split_metadata_path("")->empty());
    CHECK(split_metadata_path("///")->empty());
    CHECK_FALSE(split_metadata_path("/%").has_value());
    CHECK_FALSE(split_metadata_path("/%zz").has_value());
    std::string deep;
    for (int i = 0; i < 17; ++i) {
        deep += "/x";
    }
    CHECK_FALSE(split_metadata_path(deep).has_value());
}

TEST_CASE("IST-5: disks are listed that the type has and that are no NVMe disks") {
    MetadataFacts facts = full_facts();
    for (const char* type : {"t2.nano", "m5d.large", "gone.large"}) {
        facts.instance.instance_type = type;
        CHECK_MESSAGE(
            text(build_metadata_tree(facts), "meta-data/block-device-mapping") == "ami\nebs1\nroot",
            type);
    }
    facts.instance.instance_type = "m1.small";
    facts.instance.launch_mappings[1].virtual_name = "ephemeral1";  // its second: it has one
    CHECK(text(build_metadata_tree(facts), "meta-data/block-device-mapping") == "ami\nebs1\nroot");
}

TEST_CASE("IMDS-6 IMDS-8: a running instance is told all about itself") {
    const MetadataTree tree = build_metadata_tree(full_facts());
    CHECK(text(tree, "meta-data/instance-id") == "i-0123456789abcdef0");
    CHECK(text(tree, "meta-data/ami-id") == "ami-0123456789abcdef0");
    CHECK(text(tree, "meta-data/ami-launch-index") == "0");
    CHECK(text(tree, "meta-data/ami-manifest-path") == "(unknown)");
    CHECK(text(tree, "meta-data/profile") == "default-hvm");
    CHECK(text(tree, "meta-data/hostname") == "ip-172-31-5-10.ec2.internal");
    CHECK(text(tree, "meta-data/local-ipv4") == "172.31.5.10");
    CHECK(text(tree, "meta-data/public-ipv4") == "127.80.0.5");
    CHECK(text(tree, "meta-data/placement/") == "availability-zone\navailability-zone-id\nregion");
    CHECK(text(tree, "meta-data/placement/availability-zone-id") == "use1-az2");
    CHECK(text(tree, "meta-data/security-groups") == "default\nweb");
    CHECK(text(tree, "meta-data/block-device-mapping") == "ami\nebs1\nephemeral0\nroot");
    CHECK(text(tree, "meta-data/block-device-mapping/root") == "/dev/xvda");
    CHECK(text(tree, "meta-data/block-device-mapping/ebs1") == "sdf");
    CHECK(text(tree, "meta-data/block-device-mapping/ephemeral0") == "sdb");
    CHECK(text(tree, "/") == "dynamic\nmeta-data\nuser-data");

    const std::string macs = "meta-data/network/interfaces/macs/";
    CHECK(text(tree, macs) == "02:ab:00:00:00:01/");
    CHECK(text(tree, "meta-data/mac") == "02:ab:00:00:00:01");
    CHECK(text(tree, macs + "02:ab:00:00:00:01/vpc-id") == "vpc-0123456789abcdef0");
    CHECK(text(tree, macs + "02:ab:00:00:00:01/subnet-ipv4-cidr-block") == "172.31.0.0/20");
    CHECK(text(tree, macs + "02:ab:00:00:00:01/ipv4-associations/127.80.0.5") == "172.31.5.10");
    CHECK(text(tree, macs + "02:ab:00:00:00:01/security-group-ids") == "sg-1\nsg-2");
    for (const char* name : {"device-number", "network-card", "local-ipv4s", "interface-id"}) {
        CHECK(find(tree, macs + "02:ab:00:00:00:01/" + name).has_value());
    }
}

TEST_CASE("IMDS-7: a public key is listed by its number and name") {
    MetadataFacts facts = full_facts();
    const MetadataTree tree = build_metadata_tree(facts);
    CHECK(text(tree, "meta-data/public-keys/") == "0=my key");
    CHECK(text(tree, "meta-data/public-keys/0/") == "openssh-key");
    CHECK(text(tree, "meta-data/public-keys/0/openssh-key") == "ssh-ed25519 AAAAC3Nz my key");
    facts.instance.public_key.clear();
    CHECK_FALSE(find(build_metadata_tree(facts), "meta-data/public-keys").has_value());
}

TEST_CASE("IMDS-9: user data are the bytes given, and absent when there are none") {
    MetadataFacts facts = full_facts();
    CHECK(text(build_metadata_tree(facts), "user-data") == std::string("#!/bin/sh\n\0\xff", 12));
    facts.instance.user_data.clear();
    const MetadataTree tree = build_metadata_tree(facts);
    CHECK_FALSE(find(tree, "user-data").has_value());
    CHECK(text(tree, "") == "dynamic\nmeta-data");
}

TEST_CASE("IMDS-10: the identity document says null for what there is not") {
    MetadataFacts facts = full_facts();
    facts.instance.product_codes = {{"code\"1", "marketplace"}, {"dev", "devpay"}};
    const std::string document =
        text(build_metadata_tree(facts), "dynamic/instance-identity/document");
    CHECK(document.starts_with("{\n  \"accountId\" : \"111111111111\",\n"));
    CHECK(document.ends_with("\n  \"version\" : \"2017-09-30\"\n}"));
    for (const char* line :
         {R"("architecture" : "x86_64")", R"("availabilityZone" : "us-east-1b")",
          R"("billingProducts" : null)", R"("devpayProductCodes" : null)",
          R"("marketplaceProductCodes" : ["code\"1"])", R"("kernelId" : null)",
          R"("pendingTime" : "2025-06-15T15:06:39Z")", R"("privateIp" : "172.31.5.10")",
          R"("region" : "us-east-1")", R"("instanceId" : "i-0123456789abcdef0")"}) {
        CAPTURE(line);
        CHECK(document.find(std::string("\n  ") + line) != document.npos);
    }
}

TEST_CASE("IMDS-11: tags are shown when enabled") {
    MetadataFacts facts = full_facts();
    facts.tags = {{"Name", "web server"}, {"no/path", "x"}, {"empty", ""}};
    CHECK_FALSE(find(build_metadata_tree(facts), "meta-data/tags").has_value());
    facts.instance.metadata_options.instance_tags_enabled = true;
    const MetadataTree tree = build_metadata_tree(facts);
    CHECK(text(tree, "meta-data/tags/") == "instance/");
    CHECK(text(tree, "meta-data/tags/instance/") == "Name\nempty");
    CHECK(text(tree, "meta-data/tags/instance/Name") == "web server");
    CHECK(find(tree, "meta-data/tags/instance/empty")->leaf);
    CHECK(is_metadata_tag_key("aA0+-=.,_:@"));
    for (const char* key : {"", ".", "..", "_index", "a b", "a/b", "\xC3\xA4"}) {
        CAPTURE(key);
        CHECK_FALSE(is_metadata_tag_key(key));
    }
    CHECK_FALSE(is_metadata_tag_key(std::string(256, 'a')));
}

TEST_CASE("IMDS-12: a walk through every directory reads every name, with a network and without") {
    MetadataFacts facts = full_facts();
    facts.instance.metadata_options.instance_tags_enabled = true;
    facts.tags = {{"Name", "web"}};
    const MetadataTree full = build_metadata_tree(facts);
    CHECK(crawl(full, "meta-data/").size() > 45);
    CHECK(crawl(full, "dynamic/").size() == 2);

    MetadataFacts bare;
    bare.instance.id = kInstance;
    bare.instance.image_id = model::ImageId("ami-1");
    const MetadataTree least = build_metadata_tree(bare);
    CHECK(crawl(least, "meta-data/").size() > 10);
    for (const char* name : {"mac", "network", "local-ipv4", "hostname", "public-keys",
                             "security-groups", "kernel-id", "product-codes", "tags"}) {
        CAPTURE(name);
        CHECK_FALSE(find(least, std::string("meta-data/") + name).has_value());
    }
}

TEST_CASE("the private name follows the region") {
    model::Instance instance = full_instance();
    instance.region = "eu-west-1";
    CHECK(private_dns_name(instance) == "ip-172-31-5-10.eu-west-1.compute.internal");
    instance.private_ip.clear();
    CHECK(private_dns_name(instance).empty());
}
