// SPDX-License-Identifier: Apache-2.0
// What a version of a launch template holds, and how it is combined (LT-2, LT-5, LT-6).
//
// It travels as a text: a JSON object whose members are those of EC2's RequestLaunchTemplateData,
// by their names there, as the request's decoder gave them. The texts here come from that decoder
// or from the catalog; one that is no JSON object is `data_loss`. Thread model: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "util/result.h"

namespace kiln::control {

// LT-5: what is refused when a version is made. Everything else is for the launch to say.
Status check_template_data(const std::string& data);

// LT-2: a new version made from `source`: each member of `given` stands for the whole member of
// the source, whose mappings lose their snapshots unless `given` has mappings.
Result<std::string> overlay_template(const std::string& source, const std::string& given);

// LT-6: the parameters of a launch by the names of RunInstances, of which `request` has
// those that the request gave: they win over the template's. Block device mappings are merged by
// device and field, tags by resource type and key. UnsupportedOperation for InstanceRequirements.
Result<std::string> merge_launch(const std::string& from_template, const std::string& request);

// The values at a path of members ("MetadataOptions", "HttpTokens"), as filters compare them; lists
// on the way are gone through.
std::vector<std::string> template_values(const std::string& data,
                                         const std::vector<std::string>& path);
// What stands there as ImageId, an id or "resolve:ssm:..."; empty: nothing.
std::string template_image(const std::string& data);

}  // namespace kiln::control
