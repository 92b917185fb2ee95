// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_facts.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "control/instance_store.h"
#include "util/bytes.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::array<std::string_view, 29> kVersions{
    "1.0",        "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15",
    "2008-02-01", "2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12",
    "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02",
    "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03",
    "2021-03-23", "2021-07-15", "2022-09-24", "2024-04-11", "latest"};

constexpr std::size_t kMaxTagKey = 255;

template <class Items, class Text>
std::string lines(const Items& items, Text text) {
    std::string all;
    for (const auto& item : items) {
        all += all.empty() ? "" : "\n";
        all += text(item);
    }
    return all;
}

std::string lines(const std::vector<std::string>& items) {
    return lines(items, [](const std::string& item) { return item; });
}

void put_names(MetadataTree& tree, const MetadataFacts& facts) {
    const model::Instance& instance = facts.instance;
    const bool ebs = instance.root_device_type == model::RootDeviceType::ebs;
    tree.put("meta-data/ami-id", instance.image_id.str());
    tree.put("meta-data/ami-launch-index", std::to_string(instance.launch_index));
    tree.put("meta-data/ami-manifest-path", ebs ? "(unknown)" : facts.image_location);
    tree.put("meta-data/instance-action", "none");
    tree.put("meta-data/instance-id", instance.id.str());
    tree.put("meta-data/instance-life-cycle", "on-demand");
    tree.put("meta-data/instance-type", instance.instance_type);
    tree.put_unless_empty("meta-data/kernel-id", instance.kernel_id.str());
    tree.put_unless_empty("meta-data/ramdisk-id", instance.ramdisk_id.str());
    tree.put_unless_empty("meta-data/product-codes",
                          lines(instance.product_codes, [](const auto& code) { return code.id; }));
    tree.put("meta-data/profile",
             "default-" + std::string(model::to_string(instance.virtualization_type)));
    tree.put("meta-data/reservation-id", instance.reservation_id.str());
}

void put_place(MetadataTree& tree, const MetadataFacts& facts) {
    tree.put("meta-data/placement/availability-zone", facts.instance.availability_zone);
    tree.put_unless_empty("meta-data/placement/availability-zone-id", facts.zone_id);
    tree.put("meta-data/placement/region", facts.instance.region);
    tree.put("meta-data/services/domain", "amazonaws.com");
    tree.put("meta-data/services/partition", "aws");
    tree.put("meta-data/events/maintenance/history", "[]");
    tree.put("meta-data/events/maintenance/scheduled", "[]");
    tree.put("meta-data/metrics/vhostmd", R"(<?xml version="1.0" encoding="UTF-8"?>)");
}

void put_devices(MetadataTree& tree, const model::Instance& instance) {  // IMDS-8
    const std::string base = "meta-data/block-device-mapping/";
    tree.put(base + "ami", instance.root_device_name);
    tree.put(base + "root", instance.root_device_name);
    int ebs = 0;
    for (const model::BlockDeviceMapping& mapping : instance.launch_mappings) {
        if (mapping.ebs && !model::same_device(mapping.device_name, instance.root_device_name)) {
            tree.put(base + fmt::format("ebs{}", ++ebs),
                     std::string(model::bare_device_name(mapping.device_name)));
        }
    }
    for (const StoreDisk& disk : store_disks(instance)) {
        if (!disk.device_name.empty()) {  // IST-5: as Amazon, without NVMe disks
            tree.put(base + disk.name, std::string(model::bare_device_name(disk.device_name)));
        }
    }
}

void put_interface(MetadataTree& tree, const model::Instance& instance,
                   const InterfaceFacts& facts) {
    if (instance.mac.empty()) {
        return;
    }
    const std::string mac = to_lower(instance.mac);
    const std::string base = "meta-data/network/interfaces/macs/" + mac + "/";
    const std::string groups = lines(facts.security_group_names);
    tree.put("meta-data/mac", mac);
    tree.put_unless_empty("meta-data/security-groups", groups);
    tree.put(base + "device-number", "0");
    tree.put_unless_empty(base + "interface-id", instance.network_interface_id.str());
    if (!instance.public_ip.empty()) {
        tree.put(base + "ipv4-associations/" + instance.public_ip, instance.private_ip);
    }
    tree.put_unless_empty(base + "local-hostname", private_dns_name(instance));
    tree.put_unless_empty(base + "local-ipv4s", instance.private_ip);
    tree.put(base + "mac", mac);
    tree.put(base + "network-card", "0");
    tree.put(base + "network-card-index", "0");
    tree.put(base + "owner-id", instance.owner_id.str());
    tree.put_unless_empty(base + "public-ipv4s", instance.public_ip);
    tree.put_unless_empty(base + "security-group-ids",
                          lines(instance.security_groups, [](const auto& id) { return id.str(); }));
    tree.put_unless_empty(base + "security-groups", groups);
    tree.put_unless_empty(base + "subnet-id", instance.subnet_id.str());
    tree.put_unless_empty(base + "subnet-ipv4-cidr-block", facts.subnet_cidr);
    tree.put_unless_empty(base + "vpc-id", instance.vpc_id.str());
    if (!facts.vpc_cidrs.empty()) {
        tree.put(base + "vpc-ipv4-cidr-block", facts.vpc_cidrs.front());
        tree.put(base + "vpc-ipv4-cidr-blocks", lines(facts.vpc_cidrs));
    }
}

void put_addresses(MetadataTree& tree, const model::Instance& instance) {
    const std::string name = private_dns_name(instance);
    tree.put_unless_empty("meta-data/hostname", name);
    tree.put_unless_empty("meta-data/local-hostname", name);
    tree.put_unless_empty("meta-data/local-ipv4", instance.private_ip);
    tree.put_unless_empty("meta-data/public-ipv4", instance.public_ip);
}

void put_key(MetadataTree& tree, const model::Instance& instance) {  // IMDS-7
    if (instance.public_key.empty()) {
        return;
    }
    tree.put("meta-data/public-keys/0/openssh-key", instance.public_key + " " + instance.key_name);
    tree.show_as("meta-data/public-keys/0", "0=" + instance.key_name);
}

void put_tags(MetadataTree& tree, const MetadataFacts& facts) {  // IMDS-11
    if (!facts.instance.metadata_options.instance_tags_enabled) {
        return;
    }
    for (const model::Tag& tag : facts.tags) {
        if (is_metadata_tag_key(tag.key)) {
            tree.put("meta-data/tags/instance/" + tag.key, tag.value);
        }
    }
}

// Text that is not UTF-8 is replaced rather than thrown over.
std::string to_text(const nlohmann::json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// IMDS-10, laid out as EC2 lays it out.
std::string identity_document(const model::Instance& instance) {
    const auto quoted = [](const std::string& text) {
        return text.empty() ? "null" : to_text(nlohmann::json(text));
    };
    nlohmann::json codes;
    for (const model::ProductCode& code : instance.product_codes) {
        if (code.type == "marketplace") {
            codes.push_back(code.id);
        }
    }
    const std::string time = format_iso8601(instance.launched).substr(0, 19) + "Z";
    const std::pair<std::string_view, std::string> members[] = {
        {"accountId", quoted(instance.owner_id.str())},
        {"architecture", quoted(std::string(model::to_string(instance.architecture)))},
        {"availabilityZone", quoted(instance.availability_zone)},
        {"billingProducts", "null"},
        {"devpayProductCodes", "null"},
        {"marketplaceProductCodes", to_text(codes)},
        {"imageId", quoted(instance.image_id.str())},
        {"instanceId", quoted(instance.id.str())},
        {"instanceType", quoted(instance.instance_type)},
        {"kernelId", quoted(instance.kernel_id.str())},
        {"pendingTime", quoted(time)},
        {"privateIp", quoted(instance.private_ip)},
        {"ramdiskId", quoted(instance.ramdisk_id.str())},
        {"region", quoted(instance.region)},
        {"version", quoted("2017-09-30")},
    };
    std::string text;
    for (const auto& [name, value] : members) {
        text += fmt::format("{}\n  \"{}\" : {}", text.empty() ? "{" : ",", name, value);
    }
    return text + "\n}";
}

}  // namespace

MetadataTree build_metadata_tree(const MetadataFacts& facts) {
    const model::Instance& instance = facts.instance;
    MetadataTree tree;
    put_names(tree, facts);
    put_place(tree, facts);
    put_devices(tree, instance);
    put_addresses(tree, instance);
    put_interface(tree, instance, facts.interface);
    put_key(tree, instance);
    put_tags(tree, facts);
    if (facts.identity) {
        put_identity(tree, *facts.identity);
    }
    tree.put("dynamic/fws/instance-monitoring",
             instance.detailed_monitoring ? "enabled" : "disabled");
    tree.put("dynamic/instance-identity/document", identity_document(instance));
    if (!instance.user_data.empty()) {
        tree.put("user-data", std::string(as_text(instance.user_data)));
    }
    return tree;
}

std::span<const std::string_view> metadata_versions() {
    return kVersions;
}

std::string private_dns_name(const model::Instance& instance) {
    if (instance.private_ip.empty()) {
        return {};
    }
    std::string dashed = instance.private_ip;
    std::replace(dashed.begin(), dashed.end(), '.', '-');
    return "ip-" + dashed +
           (instance.region == "us-east-1" ? std::string(".ec2.internal")
                                           : "." + instance.region + ".compute.internal");
}

bool is_metadata_tag_key(std::string_view key) {
    constexpr std::string_view kMarks = "+-=.,_:@";
    if (key.empty() || key.size() > kMaxTagKey || key == "." || key == ".." || key == "_index") {
        return false;
    }
    return std::all_of(key.begin(), key.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kMarks.find(c) != kMarks.npos;
    });
}

}  // namespace kiln::control
