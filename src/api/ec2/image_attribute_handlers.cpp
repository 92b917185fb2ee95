// SPDX-License-Identifier: Apache-2.0
// The attributes of images. ModifyImageAttribute has three generations of parameters, and clients
// send each of them, some two at once; here they become one change (LP-3).
#include <fmt/format.h>

#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/image_convert.h"
#include "api/ec2/permission_lists.h"
#include "api/generated/ec2/cancel_image_launch_permission.h"
#include "api/generated/ec2/modify_image_attribute.h"
#include "api/generated/ec2/replace_image_instance_type_specification.h"
#include "api/generated/ec2/reset_image_attribute.h"
#include "control/api_errors.h"
#include "util/strings.h"

namespace kiln::api {
namespace {

using namespace ec2;
using control::ImageChange;
using Permissions = std::vector<control::LaunchPermission>;

Permissions to_permissions(const List<LaunchPermission>& list) {
    Permissions permissions;
    for (const LaunchPermission& entry : list) {
        permissions.push_back({entry.user_id.value_or(""), entry.group.value_or(""),
                               entry.organization_arn.value_or(""),
                               entry.organizational_unit_arn.value_or("")});
    }
    return permissions;
}

// The lists that go with OperationType.
Permissions listed_permissions(const ModifyImageAttributeRequest& request) {
    Permissions permissions;
    for (const std::string& user : request.user_ids) {
        permissions.emplace_back().user_id = user;
    }
    for (const std::string& group : request.user_groups) {
        permissions.emplace_back().group = group;
    }
    for (const std::string& arn : request.organization_arns) {
        permissions.emplace_back().organization_arn = arn;
    }
    for (const std::string& arn : request.organizational_unit_arns) {
        permissions.emplace_back().organizational_unit_arn = arn;
    }
    return permissions;
}

Status take_permissions(const ModifyImageAttributeRequest& request, ImageChange& change) {
    if (request.launch_permission) {
        change.add = to_permissions(request.launch_permission->add);
        change.remove = to_permissions(request.launch_permission->remove);
    }
    return take_listed(listed_permissions(request), request.operation_type, change);
}

// Attribute and Value, the oldest form. Some clients capitalise the name.
Status take_named(const ModifyImageAttributeRequest& request, ImageChange& change,
                  bool& permissions) {
    if (!given(request.attribute)) {
        return ok();
    }
    const std::string& name = *request.attribute;
    if (equals_ignore_case(name, "launchPermission")) {
        permissions = true;
    } else if (equals_ignore_case(name, "description")) {
        if (request.value) {
            change.description = request.value;
        }
    } else if (equals_ignore_case(name, "imdsSupport")) {
        if (request.value) {
            change.imds_support = request.value;
        }
    } else if (equals_ignore_case(name, "productCodes")) {
        return not_built("ProductCode");
    } else {
        return control::errors::invalid_parameter_value(fmt::format(
            "Value ({}) for parameter attribute is invalid. It is not an attribute of images that "
            "can be modified.",
            name));
    }
    return ok();
}

Result<ImageChange> to_change(const ModifyImageAttributeRequest& request) {
    if (!request.product_codes.empty()) {
        return not_built("ProductCode");
    }
    ImageChange change;
    bool permissions = false;
    if (request.description) {
        change.description = request.description->value;
    }
    if (request.imds_support) {
        change.imds_support = request.imds_support->value;
    }
    TRY(take_named(request, change, permissions));
    TRY(take_permissions(request, change));
    permissions = permissions || !change.add.empty() || !change.remove.empty();
    const int kinds =
        (permissions ? 1 : 0) + (change.description ? 1 : 0) + (change.imds_support ? 1 : 0);
    if (kinds > 1) {
        return control::errors::invalid_parameter_combination(
            "Fields for multiple attribute types specified");
    }
    const bool nothing = permissions && change.add.empty() && change.remove.empty();
    if (kinds == 0 || nothing) {
        return control::errors::invalid_parameter_combination("No attributes specified.");
    }
    return change;
}

Result<ec2::ImageAttribute> describe(const Services& services, const Context& context,
                                     const DescribeImageAttributeRequest& request) {
    TRY_ASSIGN(const auto image, to_image_ref(request));
    const auto attribute = model::parse<control::ImageAttribute>(request.attribute.value_or(""));
    if (!attribute) {
        return bad_enum(request.attribute.value_or(""), "Attribute");
    }
    TRY_ASSIGN(const auto view,
               services.images.describe_attribute(context.caller, image, *attribute));
    return from_attribute(view, *attribute);
}

Result<ReplaceImageInstanceTypeSpecificationResult> replace_instance_types(
    const Services& services, const Context& context,
    const ReplaceImageInstanceTypeSpecificationRequest& request) {
    TRY_ASSIGN(const auto image, to_image_ref(request));
    model::InstanceTypeSpecification wanted;
    if (request.instance_type_specification) {
        wanted.supported = request.instance_type_specification->supported_instance_types.items();
        wanted.unsupported =
            request.instance_type_specification->unsupported_instance_types.items();
    }
    TRY(services.images.replace_instance_types(context.caller, image, wanted));
    ReplaceImageInstanceTypeSpecificationResult result;
    result.return_value = true;
    return result;
}

}  // namespace

void add_image_attribute_handlers(Registry& registry, Services services) {
    registry.add<ops::DescribeImageAttribute>(
        [services](Context& context, const DescribeImageAttributeRequest& request) {
            return describe(services, context, request);
        });
    registry.add<ops::ModifyImageAttribute>(
        [services](Context& context, const ModifyImageAttributeRequest& request) -> Result<Void> {
            TRY_ASSIGN(const auto image, to_image_ref(request));
            TRY_ASSIGN(const ImageChange change, to_change(request));
            TRY(services.images.modify(context.caller, image, change));
            return Void{};
        });
    registry.add<ops::CancelImageLaunchPermission>(
        [services](Context& context, const CancelImageLaunchPermissionRequest& request)
            -> Result<CancelImageLaunchPermissionResult> {
            TRY_ASSIGN(const auto image, to_image_ref(request));
            TRY(services.images.cancel_launch_permission(context.caller, image));
            CancelImageLaunchPermissionResult result;
            result.return_ = true;
            return result;
        });
    registry.add<ops::ReplaceImageInstanceTypeSpecification>(
        [services](Context& context, const ReplaceImageInstanceTypeSpecificationRequest& request) {
            return replace_instance_types(services, context, request);
        });
    registry.add<ops::ResetImageAttribute>(
        [services](Context& context, const ResetImageAttributeRequest& request) -> Result<Void> {
            TRY_ASSIGN(const auto image, to_image_ref(request));
            TRY(services.images.reset_launch_permission(context.caller, image));
            return Void{};
        });
}

}  // namespace kiln::api
