// SPDX-License-Identifier: Apache-2.0
// Between EC2's shapes of launch templates and the text that control and the catalog keep of a
// version (control/template_data.h): one encoding of RequestLaunchTemplateData, read strictly.
// Thread model: pure functions.
#pragma once

#include <string>

#include "api/generated/ec2/launch_template.h"
#include "api/generated/ec2/launch_template_version.h"
#include "api/generated/ec2/request_launch_template_data.h"
#include "api/generated/ec2/run_instances.h"
#include "control/launch_templates.h"

namespace kiln::api::ec2 {

std::string data_text(const RequestLaunchTemplateData& data);
// data_loss when it is not what data_text() wrote.
Result<ResponseLaunchTemplateData> data_of(const std::string& text);

// LT-6: the request with what it does not say taken from a version's data.
Result<RunInstancesRequest> merge_with_template(const RunInstancesRequest& request,
                                                const std::string& data);

LaunchTemplate from_template(const control::LaunchTemplateView& view);
Result<LaunchTemplateVersion> from_version(const control::TemplateVersionView& view);

}  // namespace kiln::api::ec2
