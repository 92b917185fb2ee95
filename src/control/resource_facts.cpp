// SPDX-License-Identifier: Apache-2.0
#include "control/resource_facts.h"

#include <fmt/format.h>

namespace kiln::control {
namespace {

std::string arn(const Caller& caller, std::string_view account, std::string_view type,
                std::string_view id) {
    return fmt::format("arn:aws:ec2:{}:{}:{}/{}", caller.region, account, type, id);
}

bool without_account(std::string_view type) {
    return type == "image" || type == "snapshot";
}

PolicyResource owned(const Caller& caller, std::string_view owner, std::string_view type,
                     std::string_view id) {
    PolicyResource resource;
    if (without_account(type)) {
        resource.arns.push_back(arn(caller, "", type, id));
    }
    resource.arns.push_back(arn(caller, owner, type, id));
    return resource;
}

std::string text(bool value) {
    return value ? "true" : "false";
}

// The account, the name under which it is known, and "self" for the caller's own.
void add_owner(PolicyFacts& facts, const Caller& caller, const model::AccountId& owner,
               const std::string& alias) {
    facts.add("ec2:Owner", owner.str());
    if (!alias.empty()) {
        facts.add("ec2:Owner", alias);
    }
    if (owner == caller.account) {
        facts.add("ec2:Owner", "self");
    }
}

void add_shape(PolicyFacts& facts, const model::VolumeShape& shape) {
    facts.add("ec2:VolumeSize", std::to_string(shape.size_gib));
    facts.add("ec2:VolumeType", std::string(model::to_string(shape.type)));
    if (shape.iops) {
        facts.add("ec2:VolumeIops", std::to_string(*shape.iops));
    }
    if (shape.throughput_mibps) {
        facts.add("ec2:VolumeThroughput", std::to_string(*shape.throughput_mibps));
    }
}

void add_parent(PolicyFacts& facts, const Caller& caller, const model::SnapshotId& snapshot) {
    if (!snapshot.empty()) {
        facts.add("ec2:ParentSnapshot", arn(caller, "", "snapshot", snapshot.str()));
    }
}

void add_network(PolicyFacts& facts, const Caller& caller, const model::VpcId& vpc,
                 const model::SubnetId& subnet, const std::string& zone) {
    if (!vpc.empty()) {
        facts.add("ec2:Vpc", arn(caller, caller.account.str(), "vpc", vpc.str()));
    }
    if (!subnet.empty()) {
        facts.add("ec2:Subnet", arn(caller, caller.account.str(), "subnet", subnet.str()));
    }
    if (!zone.empty()) {
        facts.add("ec2:AvailabilityZone", zone);
    }
}

}  // namespace

PolicyResource bare_resource(const Caller& caller, std::string_view type, std::string_view id) {
    return owned(caller, caller.account.str(), type, id);
}

PolicyResource new_resource(const Caller& caller, std::string_view type,
                            const std::vector<model::Tag>& request_tags) {
    PolicyResource resource = bare_resource(caller, type, "*");
    add_request_tags(resource.facts, request_tags);
    if (without_account(type)) {
        add_owner(resource.facts, caller, caller.account, "");
    }
    return resource;
}

PolicyResource copied_resource(const Caller& caller, std::string_view type,
                               const PolicyResource& source,
                               const std::vector<model::Tag>& request_tags) {
    PolicyResource resource = new_resource(caller, type, request_tags);
    constexpr std::string_view kKept[] = {"ec2:imageid",   "ec2:imagetype",  "ec2:rootdevicetype",
                                          "ec2:public",    "ec2:volumesize", "ec2:parentvolume",
                                          "ec2:encrypted", "ec2:snapshotid"};
    for (const std::string_view key : kKept) {
        if (const auto* values = source.facts.find(key)) {
            resource.facts.set(key, values->front());
        }
    }
    if (const auto* volume = source.facts.find("ec2:volumeid")) {
        resource.facts.set("ec2:ParentVolume",
                           arn(caller, caller.account.str(), "volume", volume->front()));
    }
    // Whose image may be copied is asked of the copy, too.
    if (const auto* owners = source.facts.find("ec2:owner"); owners != nullptr && type == "image") {
        resource.facts.set("ec2:Owner", owners->front());
        for (std::size_t i = 1; i < owners->size(); ++i) {
            resource.facts.add("ec2:Owner", (*owners)[i]);
        }
    }
    return resource;
}

PolicyResource resource_by_arn(std::string arn) {
    PolicyResource resource;
    resource.arns.push_back(std::move(arn));
    return resource;
}

PolicyResource resource_of(const Caller& caller, const model::Image& image) {
    PolicyResource resource = owned(caller, image.owner_id.str(), "image", image.id.str());
    PolicyFacts& facts = resource.facts;
    facts.add("ec2:ImageID", image.id.str());
    facts.add("ec2:ImageType", std::string(model::to_string(image.type)));
    facts.add("ec2:RootDeviceType", std::string(model::to_string(image.root_device_type)));
    facts.add("ec2:Public", text(image.launch_permissions.everybody));
    add_owner(facts, caller, image.owner_id, image.owner_alias);
    return resource;
}

PolicyResource resource_of(const Caller& caller, const model::Snapshot& snapshot) {
    PolicyResource resource = owned(caller, snapshot.owner_id.str(), "snapshot", snapshot.id.str());
    PolicyFacts& facts = resource.facts;
    facts.add("ec2:SnapshotID", snapshot.id.str());
    facts.add("ec2:SnapshotTime", policy_seconds(snapshot.created));
    facts.add("ec2:VolumeSize", std::to_string(snapshot.volume_size_gib));
    facts.add("ec2:Encrypted", text(snapshot.encrypted));
    if (!snapshot.volume_id.empty()) {
        facts.add("ec2:ParentVolume",
                  arn(caller, snapshot.owner_id.str(), "volume", snapshot.volume_id.str()));
    }
    add_owner(facts, caller, snapshot.owner_id, snapshot.owner_alias);
    return resource;
}

PolicyResource resource_of(const Caller& caller, const model::Volume& volume) {
    PolicyResource resource = bare_resource(caller, "volume", volume.id.str());
    PolicyFacts& facts = resource.facts;
    facts.add("ec2:VolumeID", volume.id.str());
    facts.add("ec2:AvailabilityZone", volume.availability_zone);
    facts.add("ec2:Encrypted", text(volume.encrypted));
    add_shape(facts, model::shape_of(volume));
    add_parent(facts, caller, volume.snapshot_id);
    return resource;
}

PolicyResource resource_of(const Caller& caller, const model::Instance& instance) {
    const std::string id = instance.id.str();  // none yet: it is to be made
    PolicyResource resource = bare_resource(caller, "instance", id.empty() ? "*" : id);
    PolicyFacts& facts = resource.facts;
    if (!id.empty()) {
        facts.add("ec2:InstanceID", id);
    }
    facts.add("ec2:InstanceType", instance.instance_type);
    facts.add("ec2:AvailabilityZone", instance.availability_zone);
    facts.add("ec2:RootDeviceType", std::string(model::to_string(instance.root_device_type)));
    if (instance.profile) {
        facts.add("ec2:InstanceProfile", instance.profile->arn);
    }
    facts.add("ec2:EbsOptimized", text(instance.ebs_optimized));
    // There are no others here.
    facts.add("ec2:Tenancy", "default");
    facts.add("ec2:InstanceMarketType", "on-demand");
    add_metadata_options(facts, instance.metadata_options);
    return resource;
}

PolicyResource resource_of(const Caller& caller, const model::Vpc& vpc) {
    PolicyResource resource = bare_resource(caller, "vpc", vpc.id.str());
    resource.facts.add("ec2:VpcID", vpc.id.str());
    return resource;
}

PolicyResource resource_of(const Caller& caller, const model::Subnet& subnet) {
    PolicyResource resource = bare_resource(caller, "subnet", subnet.id.str());
    resource.facts.add("ec2:SubnetID", subnet.id.str());
    add_network(resource.facts, caller, subnet.vpc_id, {}, subnet.availability_zone);
    return resource;
}

PolicyResource resource_of(const Caller& caller, const model::SecurityGroup& group) {
    PolicyResource resource = bare_resource(caller, "security-group", group.id.str());
    resource.facts.add("ec2:SecurityGroupID", group.id.str());
    add_network(resource.facts, caller, group.vpc_id, {}, "");
    return resource;
}

// Named by its name.
PolicyResource resource_of(const Caller& caller, const model::KeyPair& pair) {
    PolicyResource resource = bare_resource(caller, "key-pair", pair.name);
    resource.facts.add("ec2:KeyPairName", pair.name);
    resource.facts.add("ec2:KeyPairType", std::string(model::to_string(pair.type)));
    return resource;
}

PolicyResource interface_of(const Caller& caller, const model::Instance& instance) {
    const std::string id = instance.network_interface_id.str();
    PolicyResource resource = bare_resource(caller, "network-interface", id.empty() ? "*" : id);
    add_network(resource.facts, caller, instance.vpc_id, instance.subnet_id,
                instance.availability_zone);
    if (!id.empty()) {
        resource.facts.add("ec2:NetworkInterfaceID", id);
    }
    resource.facts.add("ec2:AssociatePublicIpAddress", text(!instance.no_public_ip));
    return resource;
}

PolicyResource planned_volume(const Caller& caller, const VolumePlan& plan, const std::string& zone,
                              const std::vector<model::Tag>& request_tags) {
    PolicyResource resource = new_resource(caller, "volume", request_tags);
    PolicyFacts& facts = resource.facts;
    facts.add("ec2:AvailabilityZone", zone);
    facts.add("ec2:Encrypted", text(plan.ebs.encrypted.value_or(false)));
    add_shape(facts, {plan.ebs.volume_size_gib.value_or(0),
                      plan.ebs.volume_type.value_or(model::VolumeType::gp2), plan.ebs.iops,
                      plan.ebs.throughput_mibps});
    add_parent(facts, caller, plan.ebs.snapshot_id);
    return resource;
}

void add_tags(PolicyFacts& facts, const std::vector<model::Tag>& tags) {
    for (const model::Tag& tag : tags) {
        facts.add("aws:ResourceTag/" + tag.key, tag.value);
        facts.add("ec2:ResourceTag/" + tag.key, tag.value);
    }
}

void add_template(PolicyFacts& facts, const std::string& template_arn, bool of_template) {
    if (!template_arn.empty()) {
        facts.set("ec2:LaunchTemplate", template_arn);
    }
    facts.set("ec2:IsLaunchTemplateResource", text(of_template));
}

void add_metadata_options(PolicyFacts& facts, const model::MetadataOptions& options) {
    facts.set("ec2:MetadataHttpEndpoint", options.endpoint_enabled ? "enabled" : "disabled");
    facts.set("ec2:MetadataHttpTokens", options.tokens_required ? "required" : "optional");
    facts.set("ec2:MetadataHttpPutResponseHopLimit", std::to_string(options.hop_limit));
    facts.set("ec2:InstanceMetadataTags", options.instance_tags_enabled ? "enabled" : "disabled");
}

void add_tag_keys(PolicyFacts& facts, const std::vector<std::string>& keys) {
    for (const std::string& key : keys) {
        facts.add("aws:TagKeys", key);
    }
}

}  // namespace kiln::control
