// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/copy_image.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

Status refuse_unbuilt(const CopyImageRequest& request) {
    if (given(request.kms_key_id) && !request.encrypted.value_or(false)) {  // CP-6
        return control::errors::invalid_parameter_combination(
            "KmsKeyId may only be given with Encrypted.");
    }
    if (request.encrypted.value_or(false)) {
        return control::errors::unsupported(
            "Encrypted copies are not built yet; leave out Encrypted.");
    }
    if (given(request.destination_availability_zone) &&
        given(request.destination_availability_zone_id)) {  // REG-2
        return control::errors::invalid_parameter_combination(
            "DestinationAvailabilityZone and DestinationAvailabilityZoneId may not be given "
            "together.");
    }
    return ok();
}

Result<control::CopyImageInput> to_input(const Context& context, const CopyImageRequest& request) {
    TRY(refuse_unbuilt(request));
    if (!given(request.source_image_id)) {
        return control::errors::missing_parameter("SourceImageId");
    }
    if (!given(request.source_region)) {
        return control::errors::missing_parameter("SourceRegion");
    }
    if (!given(request.name)) {
        return control::errors::missing_parameter("Name");
    }
    control::CopyImageInput input;
    TRY_ASSIGN(input.source_image_id, model::parse_image_id(*request.source_image_id));
    input.source_region = *request.source_region;
    input.name = *request.name;
    input.description = request.description;  // CP-5: an empty one is one
    input.place.zone = given(request.destination_availability_zone)
                           ? *request.destination_availability_zone
                           : request.destination_availability_zone_id.value_or("");
    input.place.outpost_arn = request.destination_outpost_arn.value_or("");
    input.copy_tags = request.copy_image_tags.value_or(false);
    input.tags = to_tags(request.tag_specifications);
    if (request.snapshot_copy_completion_duration_minutes.has_value()) {
        input.completion_minutes = *request.snapshot_copy_completion_duration_minutes;
    }
    input.client_token = request.client_token.value_or("");
    input.request_hash = context.request_hash;
    input.dry_run = request.dry_run.value_or(false);
    return input;
}

}  // namespace

void add_copy_image_handler(Registry& registry, Services services) {
    registry.add<ops::CopyImage>(
        [services](Context& context, const CopyImageRequest& request) -> Result<CopyImageResult> {
            TRY_ASSIGN(const auto input, to_input(context, request));
            TRY_ASSIGN(const auto id, services.image_copies.copy(context.caller, input));
            CopyImageResult result;
            result.image_id = id.str();
            return result;
        });
}

}  // namespace kiln::api
