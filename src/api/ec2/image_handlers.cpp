// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/image_convert.h"
#include "api/generated/ec2/deregister_image.h"
#include "api/generated/ec2/disable_image.h"
#include "api/generated/ec2/disable_image_deprecation.h"
#include "api/generated/ec2/disable_image_deregistration_protection.h"
#include "api/generated/ec2/enable_image.h"
#include "api/generated/ec2/enable_image_deprecation.h"
#include "api/generated/ec2/enable_image_deregistration_protection.h"
#include "api/generated/ec2/register_image.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

Status refuse_unbuilt(const RegisterImageRequest& request) {
    if (given(request.image_location)) {
        return not_built("ImageLocation");
    }
    if (given(request.kernel_id)) {
        return not_built("KernelId");
    }
    if (given(request.ramdisk_id)) {
        return not_built("RamdiskId");
    }
    if (!request.billing_products.empty()) {
        return not_built("BillingProduct");
    }
    return ok();
}

Result<control::RegisterImageInput> to_input(const RegisterImageRequest& request) {
    TRY(refuse_unbuilt(request));
    control::RegisterImageInput input;
    input.name = request.name.value_or("");
    input.description = request.description.value_or("");
    TRY_ASSIGN(input.architecture,
               to_enum(request.architecture, "Architecture", input.architecture));
    TRY_ASSIGN(input.virtualization_type, to_enum(request.virtualization_type, "VirtualizationType",
                                                  input.virtualization_type));
    input.root_device_name = request.root_device_name.value_or("");
    TRY_ASSIGN(input.block_device_mappings, to_image_mappings(request.block_device_mappings));
    input.ena_support = request.ena_support.value_or(false);
    if (given(request.sriov_net_support)) {
        if (*request.sriov_net_support != "simple") {
            return bad_enum(*request.sriov_net_support, "SriovNetSupport");
        }
        input.sriov_net_simple = true;
    }
    if (given(request.boot_mode)) {
        TRY_ASSIGN(input.boot_mode,
                   to_enum(request.boot_mode, "BootMode", model::BootMode::legacy_bios));
    }
    input.tpm_v2 = given(request.tpm_support);
    input.imds_v2 = given(request.imds_support);
    input.uefi_data = request.uefi_data.value_or("");
    input.tags = to_tags(request.tag_specifications);
    input.dry_run = request.dry_run.value_or(false);
    return input;
}

Result<DescribeImagesResult> describe(const Services& services, const Context& context,
                                      const DescribeImagesRequest& request) {
    control::DescribeImagesInput input;
    for (const std::string& id : request.image_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_image_id(id));
    }
    input.owners = request.owners.items();
    input.executable_by = request.executable_users.items();
    input.filters = to_filters(request.filters);
    input.include_deprecated = request.include_deprecated.value_or(false);
    input.include_disabled = request.include_disabled.value_or(false);
    if (request.max_results.has_value()) {
        input.page.max_results = *request.max_results;
    }
    input.page.next_token = request.next_token.value_or("");
    input.page.binding = context.request_hash;
    TRY_ASSIGN(const auto page, services.images.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeImagesResult result;
    result.images.give();
    for (const control::ImageView& image : page.items) {
        result.images.push_back(from_image(image));
    }
    if (!page.next_token.empty()) {
        result.next_token = page.next_token;
    }
    return result;
}

Result<DeregisterImageResult> deregister(const Services& services, const Context& context,
                                         const DeregisterImageRequest& request) {
    TRY_ASSIGN(const auto image, to_image_ref(request));
    TRY_ASSIGN(const auto snapshots, services.images.deregister(context.caller, image));
    DeregisterImageResult result;  // DR-3
    result.return_ = true;
    result.delete_snapshot_results.give();
    if (request.delete_associated_snapshots.value_or(false)) {  // DR-2
        for (auto& removal : services.snapshots.remove_each(context.caller, snapshots)) {
            DeleteSnapshotReturnCode& code = result.delete_snapshot_results.emplace_back();
            code.snapshot_id = removal.id.str();
            code.return_code = std::move(removal.outcome);
        }
    }
    return result;
}

// An operation that changes one image and answers true. Two of the operations answer it as a text.
template <class Op, class Change>
void add_change(Registry& registry, Change change) {
    registry.add<Op>(
        [change](Context& context,
                 const typename Op::Request& request) -> Result<typename Op::Response> {
            TRY_ASSIGN(const auto image, to_image_ref(request));
            TRY(change(context.caller, image, request));
            typename Op::Response response;
            if constexpr (std::is_same_v<decltype(response.return_), Scalar<bool>>) {
                response.return_ = true;
            } else {
                response.return_ = "true";
            }
            return response;
        });
}

void add_lifecycle_handlers(Registry& registry, Services services) {
    using control::Caller;
    using control::ImageRef;
    control::Images& images = services.images;
    add_change<ops::EnableImage>(
        registry, [&images](const Caller& caller, const ImageRef& image, const auto&) {
            return images.enable(caller, image);
        });
    add_change<ops::DisableImage>(
        registry, [&images](const Caller& caller, const ImageRef& image, const auto&) {
            return images.disable(caller, image);
        });
    add_change<ops::EnableImageDeregistrationProtection>(
        registry, [&images](const Caller& caller, const ImageRef& image, const auto& request) {
            return images.protect(caller, image, request.with_cooldown.value_or(false));
        });
    add_change<ops::DisableImageDeregistrationProtection>(
        registry, [&images](const Caller& caller, const ImageRef& image, const auto&) {
            return images.unprotect(caller, image);
        });
    add_change<ops::EnableImageDeprecation>(
        registry,
        [&images](const Caller& caller, const ImageRef& image, const auto& request) -> Status {
            if (!request.deprecate_at.has_value()) {
                return control::errors::missing_parameter("DeprecateAt");
            }
            return images.deprecate(caller, image, *request.deprecate_at);
        });
    add_change<ops::DisableImageDeprecation>(
        registry, [&images](const Caller& caller, const ImageRef& image, const auto&) {
            return images.deprecate(caller, image, std::nullopt);
        });
}

}  // namespace

void add_image_handlers(Registry& registry, Services services) {
    registry.add<ops::RegisterImage>(
        [services](Context& context,
                   const RegisterImageRequest& request) -> Result<RegisterImageResult> {
            TRY_ASSIGN(const auto input, to_input(request));
            TRY_ASSIGN(const auto id, services.images.register_image(context.caller, input));
            RegisterImageResult result;
            result.image_id = id.str();
            return result;
        });
    registry.add<ops::DescribeImages>(
        [services](Context& context, const DescribeImagesRequest& request) {
            return describe(services, context, request);
        });
    registry.add<ops::DeregisterImage>(
        [services](Context& context, const DeregisterImageRequest& request) {
            return deregister(services, context, request);
        });
    add_lifecycle_handlers(registry, services);
}

}  // namespace kiln::api
