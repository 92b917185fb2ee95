// SPDX-License-Identifier: Apache-2.0
// CopySnapshot, and with whom snapshots are shared. ModifySnapshotAttribute has two generations of
// parameters (SS-1), which become one change here.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/permission_lists.h"
#include "api/generated/ec2/copy_snapshot.h"
#include "api/generated/ec2/describe_snapshot_attribute.h"
#include "api/generated/ec2/modify_snapshot_attribute.h"
#include "api/generated/ec2/reset_snapshot_attribute.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;
using Permissions = std::vector<control::VolumePermission>;

enum class Attribute { permissions, product_codes };

Result<Attribute> to_attribute(const std::optional<std::string>& name) {
    if (!given(name)) {
        return control::errors::missing_parameter("Attribute");
    }
    if (*name == "productCodes") {
        return Attribute::product_codes;
    }
    return *name == "createVolumePermission" ? Result<Attribute>(Attribute::permissions)
                                             : bad_enum(*name, "Attribute");
}

Result<model::SnapshotId> to_snapshot_id(const std::optional<std::string>& text) {
    if (!given(text)) {
        return control::errors::missing_parameter("SnapshotId");
    }
    return model::parse_snapshot_id(*text);
}

Permissions to_permissions(const List<CreateVolumePermission>& list) {
    Permissions permissions;
    for (const CreateVolumePermission& entry : list) {
        permissions.push_back({entry.user_id.value_or(""), entry.group.value_or("")});
    }
    return permissions;
}

Result<control::SnapshotSharingChange> to_change(const ModifySnapshotAttributeRequest& request) {
    control::SnapshotSharingChange change;
    if (request.create_volume_permission) {
        change.add = to_permissions(request.create_volume_permission->add);
        change.remove = to_permissions(request.create_volume_permission->remove);
    }
    Permissions listed;
    for (const std::string& user : request.user_ids) {
        listed.push_back({user, ""});
    }
    for (const std::string& group : request.group_names) {
        listed.push_back({"", group});
    }
    const std::string operation = request.operation_type.value_or("add");
    if (operation != "add" && operation != "remove") {
        return bad_enum(operation, "OperationType");
    }
    TRY(take_listed(listed, request.operation_type, change));
    return change;
}

Result<Void> modify(const Services& services, const Context& context,
                    const ModifySnapshotAttributeRequest& request) {
    TRY_ASSIGN(const auto id, to_snapshot_id(request.snapshot_id));
    if (given(request.attribute)) {
        TRY_ASSIGN(const Attribute attribute, to_attribute(request.attribute));
        if (attribute == Attribute::product_codes) {
            return not_built("ProductCode");
        }
    }
    TRY_ASSIGN(const auto change, to_change(request));
    TRY(services.snapshot_sharing.change(context.caller, id, change,
                                         request.dry_run.value_or(false)));
    return Void{};
}

Result<DescribeSnapshotAttributeResult> describe(const Services& services, const Context& context,
                                                 const DescribeSnapshotAttributeRequest& request) {
    TRY_ASSIGN(const auto id, to_snapshot_id(request.snapshot_id));
    TRY_ASSIGN(const Attribute attribute, to_attribute(request.attribute));
    TRY_ASSIGN(const auto sharing, services.snapshot_sharing.describe(
                                       context.caller, id, request.dry_run.value_or(false)));
    DescribeSnapshotAttributeResult result;
    result.snapshot_id = id.str();
    if (attribute == Attribute::product_codes) {
        result.product_codes.give();  // no snapshot has any
        return result;
    }
    result.create_volume_permissions.give();
    if (sharing.everybody) {
        result.create_volume_permissions.emplace_back().group = "all";
    }
    for (const model::AccountId& account : sharing.accounts) {
        result.create_volume_permissions.emplace_back().user_id = account.str();
    }
    return result;
}

Result<Void> reset(const Services& services, const Context& context,
                   const ResetSnapshotAttributeRequest& request) {
    TRY_ASSIGN(const auto id, to_snapshot_id(request.snapshot_id));
    TRY_ASSIGN(const Attribute attribute, to_attribute(request.attribute));
    if (attribute == Attribute::product_codes) {
        return control::errors::invalid_parameter_value(
            "Value (productCodes) for parameter attribute is invalid. Only createVolumePermission "
            "can be reset.");
    }
    TRY(services.snapshot_sharing.reset(context.caller, id, request.dry_run.value_or(false)));
    return Void{};
}

Status refuse_unbuilt(const CopySnapshotRequest& request) {
    if (given(request.kms_key_id) && !request.encrypted.value_or(false)) {
        return control::errors::invalid_parameter_combination(
            "KmsKeyId may only be given with Encrypted.");
    }
    if (request.encrypted.value_or(false)) {
        return control::errors::unsupported(
            "Encrypted copies are not built yet; leave out Encrypted.");
    }
    return ok();
}

// PresignedUrl is what some clients add by themselves; the request itself is signed.
Result<CopySnapshotResult> copy(const Services& services, const Context& context,
                                const CopySnapshotRequest& request) {
    TRY(refuse_unbuilt(request));
    if (!given(request.source_snapshot_id)) {
        return control::errors::missing_parameter("SourceSnapshotId");
    }
    if (!given(request.source_region)) {
        return control::errors::missing_parameter("SourceRegion");
    }
    if (given(request.destination_region) && *request.destination_region != context.caller.region) {
        return control::errors::invalid_parameter_value(
            "DestinationRegion is the region the request is sent to.");
    }
    control::CopySnapshotInput input;
    TRY_ASSIGN(input.source_snapshot_id, model::parse_snapshot_id(*request.source_snapshot_id));
    input.source_region = *request.source_region;
    input.place = {request.destination_availability_zone.value_or(""),
                   request.destination_outpost_arn.value_or("")};
    input.description = request.description.value_or("");
    if (request.completion_duration_minutes.has_value()) {
        input.completion_minutes = *request.completion_duration_minutes;
    }
    input.tags = to_tags(request.tag_specifications);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto view, services.snapshot_copies.copy(context.caller, input));
    CopySnapshotResult result;
    result.snapshot_id = view.snapshot.id.str();
    result.tags = from_tags(view.tags);
    return result;
}

}  // namespace

void add_snapshot_sharing_handlers(Registry& registry, Services services) {
    registry.add<ops::CopySnapshot>(
        [services](Context& context, const CopySnapshotRequest& request) {
            return copy(services, context, request);
        });
    registry.add<ops::ModifySnapshotAttribute>(
        [services](Context& context, const ModifySnapshotAttributeRequest& request) {
            return modify(services, context, request);
        });
    registry.add<ops::DescribeSnapshotAttribute>(
        [services](Context& context, const DescribeSnapshotAttributeRequest& request) {
            return describe(services, context, request);
        });
    registry.add<ops::ResetSnapshotAttribute>(
        [services](Context& context, const ResetSnapshotAttributeRequest& request) {
            return reset(services, context, request);
        });
}

}  // namespace kiln::api
