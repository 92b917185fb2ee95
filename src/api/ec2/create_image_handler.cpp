// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/image_convert.h"
#include "api/generated/ec2/create_image.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

Status check_no_outposts(const CreateImageRequest& request) {  // CI-9
    for (const BlockDeviceMapping& entry : request.block_device_mappings) {
        if (entry.ebs && given(entry.ebs->outpost_arn)) {
            return control::errors::invalid_parameter_combination(
                "The parameter BlockDeviceMapping.Ebs.OutpostArn is not supported for "
                "CreateImage.");
        }
    }
    return ok();
}

Result<control::CreateImageInput> to_input(const CreateImageRequest& request) {
    if (!given(request.instance_id)) {
        return control::errors::missing_parameter("InstanceId");
    }
    if (!given(request.name)) {
        return control::errors::missing_parameter("Name");
    }
    TRY(check_no_outposts(request));
    control::CreateImageInput input;
    TRY_ASSIGN(input.instance_id, model::parse_instance_id(*request.instance_id));
    if (given(request.boot_mode_override)) {
        input.boot_mode = model::BootMode::uefi;  // CI-18: the only value there is
    }
    input.snapshot_location = request.snapshot_location.value_or("");  // REG-5
    input.name = *request.name;
    input.description = request.description.value_or("");
    input.no_reboot = request.no_reboot.value_or(false);
    TRY_ASSIGN(input.block_device_mappings, to_image_mappings(request.block_device_mappings));
    input.tags = to_tags(request.tag_specifications);
    input.dry_run = request.dry_run.value_or(false);
    return input;
}

}  // namespace

void add_create_image_handler(Registry& registry, Services services) {
    registry.add<ops::CreateImage>(
        [services](Context& context,
                   const CreateImageRequest& request) -> Result<CreateImageResult> {
            TRY_ASSIGN(const auto input, to_input(request));
            TRY_ASSIGN(const auto id, services.create_images.create(context.caller, input));
            CreateImageResult result;
            result.image_id = id.str();
            return result;
        });
}

}  // namespace kiln::api
