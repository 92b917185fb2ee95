// SPDX-License-Identifier: Apache-2.0
// Images as EC2 shows them. Thread model: pure functions.
#pragma once

#include "api/ec2/convert.h"
#include "api/generated/ec2/describe_image_attribute.h"
#include "api/generated/ec2/describe_images.h"
#include "control/images.h"

namespace kiln::api::ec2 {

Image from_image(const control::ImageView& view);
// LP-14: the one attribute asked for; its element is there even when it has no value.
ec2::ImageAttribute from_attribute(const control::ImageView& view,
                                   control::ImageAttribute attribute);
// For operations on one image: well-formed, and given.
Result<model::ImageId> to_image_id(const std::optional<std::string>& id);

// to_mappings() without what launches alone have.
Result<model::BlockDeviceMappings> to_image_mappings(const List<BlockDeviceMapping>& list);

template <class Request>
Result<control::ImageRef> to_image_ref(const Request& request) {
    control::ImageRef ref;
    TRY_ASSIGN(ref.id, to_image_id(request.image_id));
    ref.dry_run = request.dry_run.value_or(false);
    return ref;
}

}  // namespace kiln::api::ec2
