// SPDX-License-Identifier: Apache-2.0
#include "control/topology.h"

#include <doctest/doctest.h>

#include <set>

#include "control/default_network.h"
#include "control/instance_types.h"
#include "control/metadata_facts.h"
#include "control/network_names.h"
#include "control/topology_file.h"
#include "util/strings.h"

using namespace kiln;
using namespace kiln::control;

TEST_CASE("TOP-1: the built-in topology keeps the rules of the file") {
    const Topology built_in = Topology::built_in();
    std::string text;
    for (const Region& region : built_in.regions()) {
        text += text.empty() ? R"({"regions":[)" : ",";
        text +=
            R"({"name":")" + region.name + R"(","endpoint":")" + region.endpoint + R"(","zones":[)";
        for (std::size_t i = 0; i < region.zones.size(); ++i) {
            text += (i == 0 ? "" : ",");
            text += R"({"name":")" + region.zones[i].name + R"(","id":")" + region.zones[i].id +
                    R"("})";
        }
        text += "]}";
    }
    const auto read = parse_topology(text + "]}");
    REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().to_string()));
    CHECK(read->regions().size() == built_in.regions().size());
    CHECK(read->zone("us-east-1", "use1-az3")->name == "us-east-1c");
    CHECK(read->zone("us-east-1", "usw2-az1").error().api_code() == "InvalidZone.NotFound");
}

TEST_CASE("TOP-2: what is not JSON is told with line and column") {
    const auto cut = parse_topology("{\n  \"regions\": [\n    {\"name\": tru\n");
    REQUIRE_FALSE(cut.has_value());
    CHECK(cut.error().message().starts_with("line 3, column "));
    CHECK(parse_topology("").error().message().starts_with("line 1, column 1"));
    CHECK_FALSE(parse_topology("{\"regions\":[{\"name\":\"\xFF\"}]}").has_value());
    CHECK_FALSE(parse_topology(std::string(100'000, '[')).has_value());
}

TEST_CASE("NET-5: names follow from the address and the region") {
    model::Instance instance;
    CHECK(private_dns_name(instance).empty());
    instance.private_ip = "172.31.5.10";
    instance.region = "us-east-1";
    CHECK(private_dns_name(instance) == "ip-172-31-5-10.ec2.internal");
    instance.region = "eu-west-1";
    CHECK(private_dns_name(instance) == "ip-172-31-5-10.eu-west-1.compute.internal");
    CHECK(derived_id("eni-attach", "eni-0a1b") == "eni-attach-0a1b");
    CHECK(arn("eu-west-1", model::AccountId("111111111111"), "subnet", "subnet-1") ==
          "arn:aws:ec2:eu-west-1:111111111111:subnet/subnet-1");
}

TEST_CASE("TYP-1: the facts of a type agree with each other") {
    std::set<std::string_view> names;
    for (const InstanceType& type : instance_types()) {
        CAPTURE(std::string(type.name));
        CHECK(names.insert(type.name).second);
        CHECK(find_instance_type(type.name) == &type);
        CHECK(type.vcpus % type.cores == 0);
        CHECK(type.memory_mib >= 512);
        CHECK((type.instance_store_disks == 0) == (type.instance_store_gb_each == 0));
        CHECK((type.instance_store_disks == 0) == type.family->disk_type.empty());
        CHECK((type.ebs.maximum_mbps == 0) == (type.family->ebs_optimized == "unsupported"));
        CHECK(type.ebs.baseline_mbps <= type.ebs.maximum_mbps);
        CHECK(type.ebs.baseline_iops <= type.ebs.maximum_iops);
        CHECK(type.uefi() == (type.family->hypervisor == "nitro"));
    }
    CHECK(find_instance_type(kDefaultInstanceType) != nullptr);
    CHECK(find_instance_type("x9.huge") == nullptr);
}
