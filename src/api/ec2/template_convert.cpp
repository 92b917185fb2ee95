// SPDX-License-Identifier: Apache-2.0
#include "api/ec2/template_convert.h"

#include "api/codec/json_codec.h"
#include "api/ec2/convert.h"
#include "api/generated/ec2/tables.h"
#include "control/api_errors.h"
#include "control/template_data.h"

namespace kiln::api::ec2 {

std::string data_text(const RequestLaunchTemplateData& data) {
    return write_json(tables::kRequestLaunchTemplateData, &data);
}

Result<ResponseLaunchTemplateData> data_of(const std::string& text) {
    ResponseLaunchTemplateData data;
    TRY(parse_json(tables::kResponseLaunchTemplateData, text, &data));
    return data;
}

Result<RunInstancesRequest> merge_with_template(const RunInstancesRequest& request,
                                                const std::string& data) {
    RequestLaunchTemplateData of_template;
    TRY(parse_json(tables::kRequestLaunchTemplateData, data, &of_template));
    const std::string own = write_json(tables::kRunInstancesRequest, &request);
    TRY_ASSIGN(const std::string text, control::merge_launch(data, own));
    RunInstancesRequest merged;
    const Status read = parse_json(tables::kRunInstancesRequest, text, &merged);
    if (!read) {
        // Each part is what its own decoder lets through; together they are no request.
        return control::errors::invalid_parameter_value(
            "The launch template's data is nothing RunInstances takes: " + read.error().message());
    }
    return merged;
}

LaunchTemplate from_template(const control::LaunchTemplateView& view) {
    LaunchTemplate out;
    out.launch_template_id = view.of.id.str();
    out.launch_template_name = view.of.name;
    out.create_time = view.of.created;
    out.created_by = view.of.created_by;
    out.default_version_number = view.of.default_version;
    out.latest_version_number = view.of.latest_version;
    out.operator_ = unmanaged();
    out.tags = from_tags(view.tags);
    return out;
}

Result<LaunchTemplateVersion> from_version(const control::TemplateVersionView& view) {
    LaunchTemplateVersion out;
    out.launch_template_id = view.of.id.str();
    out.launch_template_name = view.of.name;
    out.version_number = view.version.number;
    if (!view.version.description.empty()) {
        out.version_description = view.version.description;
    }
    out.create_time = view.version.created;
    out.created_by = view.version.created_by;
    out.default_version = view.is_default();
    out.operator_ = unmanaged();
    TRY_ASSIGN(out.launch_template_data, data_of(view.version.data));
    return out;
}

}  // namespace kiln::api::ec2
