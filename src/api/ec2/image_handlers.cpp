// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/register_image.h"

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
    if (given(request.uefi_data)) {
        return not_built("UefiData");
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
    TRY_ASSIGN(input.block_device_mappings, to_mappings(request.block_device_mappings));
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
    input.tags = to_tags(request.tag_specifications);
    input.dry_run = request.dry_run.value_or(false);
    return input;
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
}

}  // namespace kiln::api
