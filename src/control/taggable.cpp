// SPDX-License-Identifier: Apache-2.0
#include "control/taggable.h"

#include "control/api_errors.h"
#include "control/image_rules.h"
#include "control/image_usage.h"
#include "control/instance_views.h"
#include "control/launch_templates.h"
#include "control/replace_roots.h"
#include "control/security_groups.h"
#include "control/snapshot_access.h"
#include "control/vpc_parts.h"

namespace kiln::control {
namespace {

template <class T>
bool is_own(const std::optional<T>& found, const Caller& caller) {
    return found && found->owner_id == caller.account && found->region == caller.region;
}

Status check_image(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto image, tx.images().find(model::ImageId(id)));
    if (!image || image->region != caller.region || !may_use(*image, caller)) {
        return errors::images_not_found({id});
    }
    TRY(model::next(image->state, model::ImageEvent::use_attribute, image->id));
    return ok();
}

Status check_instance(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto instance, tx.instances().find(model::InstanceId(id)));
    return is_own(instance, caller) ? ok() : Status(errors::instances_not_found({id}));
}

Status check_snapshot(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto snapshot, tx.snapshots().find(model::SnapshotId(id)));
    bool usable = snapshot && snapshot->region == caller.region &&
                  snapshot->state != model::SnapshotState::deleted;
    if (usable) {
        TRY_ASSIGN(usable, may_read(tx, *snapshot, caller.account));
    }
    return usable ? ok() : Status(errors::snapshot_not_found(model::SnapshotId(id)));
}

Status check_volume(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto volume, tx.volumes().find(model::VolumeId(id)));
    return is_own(volume, caller) && volume->state != model::VolumeState::deleted
               ? ok()
               : Status(errors::volume_not_found(model::VolumeId(id)));
}

Status check_root_task(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    const model::ReplaceRootTaskId task(id);
    TRY_ASSIGN(const auto found, tx.replace_root_tasks().find(task));
    return is_own(found, caller) ? ok() : Status(replace_root_task_not_found(task));
}

Status check_vpc(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto vpc, tx.vpcs().find(model::VpcId(id)));
    return is_own(vpc, caller) ? ok()
                               : Status(Error::api(Code::not_found, "InvalidVpcID.NotFound",
                                                   "The vpc ID '" + id + "' does not exist"));
}

Status check_subnet(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto subnet, tx.subnets().find(model::SubnetId(id)));
    return is_own(subnet, caller) ? ok()
                                  : Status(Error::api(Code::not_found, "InvalidSubnetID.NotFound",
                                                      "The subnet ID '" + id + "' does not exist"));
}

Status check_group(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto group, tx.security_groups().find(model::SecurityGroupId(id)));
    return is_own(group, caller) ? ok() : Status(group_not_found(model::SecurityGroupId(id)));
}

Status check_key_pair(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto pair, tx.key_pairs().find(model::KeyPairId(id)));
    return is_own(pair, caller)
               ? ok()
               : Status(Error::api(Code::not_found, "InvalidKeyPair.NotFound",
                                   "The key pair with ID '" + id + "' does not exist"));
}

Status check_template(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto found, tx.launch_templates().find(model::LaunchTemplateId(id)));
    return is_own(found, caller) ? ok()
                                 : Status(launch_template_not_found(model::LaunchTemplateId(id)));
}

Status check_report(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto found, tx.usage_reports().find(model::ImageUsageReportId(id)));
    return is_own(found, caller) ? ok()
                                 : Status(usage_report_not_found(model::ImageUsageReportId(id)));
}

Status check_rule(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    catalog::SecurityGroupQuery own;
    own.region = caller.region;
    own.owners = {caller.account};
    TRY_ASSIGN(const auto groups, tx.security_groups().list(own));
    for (const model::SecurityGroup& group : groups) {
        for (const model::SecurityGroupRule& rule : group.rules) {
            if (rule.id.str() == id) {
                return ok();
            }
        }
    }
    return Error::api(Code::not_found, "InvalidSecurityGroupRuleId.NotFound",
                      "The security group rule ID '" + id + "' does not exist");
}

Status check_interface(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    catalog::InstanceQuery own;
    own.region = caller.region;
    own.owners = {caller.account};
    TRY_ASSIGN(const auto instances, tx.instances().list(own));
    for (const model::Instance& instance : instances) {
        if (has_interface(instance) && instance.network_interface_id.str() == id) {
            return ok();
        }
    }
    return Error::api(Code::not_found, "InvalidNetworkInterfaceID.NotFound",
                      "The networkInterface ID '" + id + "' does not exist");
}

template <VpcPart kPart>
Status check_part(catalog::Transaction& tx, const Caller& caller, const std::string& id) {
    return find_vpc_part(tx, caller, kPart, id);
}

template <VpcPart kPart>
Status check_part_form(const std::string& id) {
    return check_vpc_part_form(kPart, id);
}

template <auto Parse>
Status check_form(const std::string& id) {
    TRY(Parse(id));
    return ok();
}

struct Kind {
    std::string_view prefix;
    std::string_view type;  // TAG-5
    Status (*check_form)(const std::string& id);
    Status (*check)(catalog::Transaction& tx, const Caller& caller, const std::string& id);
};

constexpr Kind kKinds[] = {
    {"ami-", "image", check_form<model::parse_image_id>, check_image},
    {"amiur-", "image-usage-report", check_form<model::parse_image_usage_report_id>, check_report},
    {"i-", "instance", check_form<model::parse_instance_id>, check_instance},
    {"key-", "key-pair", check_form<model::parse_key_pair_id>, check_key_pair},
    {"lt-", "launch-template", check_form<model::parse_launch_template_id>, check_template},
    {"replacevol-", "replace-root-volume-task", check_form<model::parse_replace_root_task_id>,
     check_root_task},
    {"snap-", "snapshot", check_form<model::parse_snapshot_id>, check_snapshot},
    {"vpc-", "vpc", check_form<model::parse_vpc_id>, check_vpc},
    {"subnet-", "subnet", check_form<model::parse_subnet_id>, check_subnet},
    {"igw-", "internet-gateway", check_part_form<VpcPart::internet_gateway>,
     check_part<VpcPart::internet_gateway>},
    {"rtb-", "route-table", check_part_form<VpcPart::route_table>,
     check_part<VpcPart::route_table>},
    {"acl-", "network-acl", check_part_form<VpcPart::network_acl>,
     check_part<VpcPart::network_acl>},
    {"dopt-", "dhcp-options", check_part_form<VpcPart::dhcp_options>,
     check_part<VpcPart::dhcp_options>},
    {"eni-", "network-interface", check_form<model::parse_network_interface_id>, check_interface},
    {"sg-", "security-group", check_form<model::parse_security_group_id>, check_group},
    {"sgr-", "security-group-rule", check_form<model::parse_security_group_rule_id>, check_rule},
    {"vol-", "volume", check_form<model::parse_volume_id>, check_volume},
};

const Kind* find_kind(std::string_view id) {
    const auto* found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                     [&](const Kind& kind) { return id.starts_with(kind.prefix); });
    return found == std::end(kKinds) ? nullptr : found;
}

Error invalid_id(const std::string& id) {  // ID-5
    return Error::api(Code::invalid_argument, "InvalidID", "The ID '" + id + "' is not valid");
}

}  // namespace

std::string_view taggable_type(const std::string& id) {
    const Kind* kind = find_kind(id);
    return kind == nullptr ? std::string_view() : kind->type;
}

Status check_taggable_id(const std::string& id) {
    const Kind* kind = find_kind(id);
    return kind == nullptr ? Status(invalid_id(id)) : kind->check_form(id);
}

Result<std::string> find_taggable(catalog::Transaction& tx, const Caller& caller,
                                  const std::string& id) {
    const Kind* kind = find_kind(id);
    if (kind == nullptr) {
        return invalid_id(id);
    }
    TRY(kind->check(tx, caller, id));
    return std::string(kind->type);
}

}  // namespace kiln::control
