// SPDX-License-Identifier: Apache-2.0
#include "api/access.h"
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/launch_request.h"
#include "api/ec2/paging.h"
#include "api/ec2/template_convert.h"
#include "api/generated/ec2/create_launch_template.h"
#include "api/generated/ec2/create_launch_template_version.h"
#include "api/generated/ec2/delete_launch_template.h"
#include "api/generated/ec2/delete_launch_template_versions.h"
#include "api/generated/ec2/describe_launch_template_versions.h"
#include "api/generated/ec2/describe_launch_templates.h"
#include "api/generated/ec2/modify_launch_template.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

constexpr std::string_view kResolve = "resolve:ssm:";

template <class Request>
control::TemplateName name_of(const Request& request) {
    return {request.launch_template_id.value_or(""), request.launch_template_name.value_or("")};
}

// LT-5: what a launch of this data alone would be refused for, as far as its form says. The image
// is left to the launch: a template may name one that is not there yet.
std::optional<ValidationWarning> warning_about(const Context& context, const std::string& data) {
    RunInstancesRequest once;
    once.min_count = 1;
    once.max_count = 1;
    const auto check = [&]() -> Status {
        TRY_ASSIGN(const auto merged, merge_with_template(once, data));
        if (given(merged.image_id) && !merged.image_id->starts_with(kResolve)) {
            TRY(model::parse_image_id(*merged.image_id));
        }
        TRY(to_launch_input(context, merged));
        return ok();
    };
    const Status outcome = check();
    if (outcome || !outcome.error().has_api_code()) {
        return std::nullopt;
    }
    ValidationWarning warning;
    ValidationError& error = warning.errors.emplace_back();
    error.code = outcome.error().api_code();
    error.message = outcome.error().message();
    return warning;
}

// LT-8. A parameter that names no image any more is shown as it stands.
Status resolve_alias(const Services& services, const Context& context,
                     LaunchTemplateVersion& version) {
    auto& image = version.launch_template_data->image_id;
    if (!image.value_or("").starts_with(kResolve)) {
        return ok();
    }
    TRY(check_parameter_access(context.caller, *image));
    const auto id = services.parameters.resolve(context.caller, *image);
    if (!id && !id.error().has_api_code()) {
        return id.error();
    }
    if (id) {
        image = *id;
    }
    return ok();
}

Result<CreateLaunchTemplateResult> create(const Services& services, const Context& context,
                                          const CreateLaunchTemplateRequest& request) {
    if (request.operator_) {
        return not_built("Operator");
    }
    control::CreateLaunchTemplateInput input;
    input.name = request.launch_template_name.value_or("");
    input.description = request.version_description.value_or("");
    input.data = data_text(request.launch_template_data.value_or(RequestLaunchTemplateData()));
    input.tags = to_tags(request.tag_specifications);
    input.client_token = request.client_token.value_or("");
    input.request_hash = context.request_hash;
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto made, services.templates.create(context.caller, input));
    CreateLaunchTemplateResult result;
    result.launch_template = from_template(made);
    result.warning = warning_about(context, input.data);
    return result;
}

Result<CreateLaunchTemplateVersionResult> create_version(
    const Services& services, const Context& context,
    const CreateLaunchTemplateVersionRequest& request) {
    control::CreateTemplateVersionInput input;
    input.of = name_of(request);
    input.source_version = request.source_version.value_or("");
    input.description = request.version_description.value_or("");
    input.data = data_text(request.launch_template_data.value_or(RequestLaunchTemplateData()));
    input.client_token = request.client_token.value_or("");
    input.request_hash = context.request_hash;
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto made, services.templates.create_version(context.caller, input));
    CreateLaunchTemplateVersionResult result;
    TRY_ASSIGN(result.launch_template_version, from_version(made));
    if (request.resolve_alias.value_or(false)) {
        TRY(resolve_alias(services, context, *result.launch_template_version));
    }
    result.warning = warning_about(context, made.version.data);
    return result;
}

Result<DescribeLaunchTemplatesResult> describe(const Services& services, const Context& context,
                                               const DescribeLaunchTemplatesRequest& request) {
    control::DescribeLaunchTemplatesInput input;
    for (const std::string& id : request.launch_template_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_launch_template_id(id));
    }
    input.names = request.launch_template_names.items();
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.templates.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeLaunchTemplatesResult result;
    result.launch_templates.give();
    for (const control::LaunchTemplateView& view : page.items) {
        result.launch_templates.push_back(from_template(view));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

Result<DescribeLaunchTemplateVersionsResult> describe_versions(
    const Services& services, const Context& context,
    const DescribeLaunchTemplateVersionsRequest& request) {
    control::DescribeTemplateVersionsInput input;
    input.of = name_of(request);
    input.versions = request.versions.items();
    input.min_version = request.min_version.value_or("");
    input.max_version = request.max_version.value_or("");
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.templates.describe_versions(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeLaunchTemplateVersionsResult result;
    result.launch_template_versions.give();
    for (const control::TemplateVersionView& view : page.items) {
        TRY_ASSIGN(auto version, from_version(view));
        if (request.resolve_alias.value_or(false)) {
            TRY(resolve_alias(services, context, version));
        }
        result.launch_template_versions.push_back(std::move(version));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

Result<ModifyLaunchTemplateResult> modify(const Services& services, const Context& context,
                                          const ModifyLaunchTemplateRequest& request) {
    control::ModifyLaunchTemplateInput input;
    input.of = name_of(request);
    input.default_version = request.default_version.value_or("");
    input.client_token = request.client_token.value_or("");
    input.request_hash = context.request_hash;
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto changed, services.templates.modify(context.caller, input));
    ModifyLaunchTemplateResult result;
    result.launch_template = from_template(changed);
    return result;
}

Result<DeleteLaunchTemplateResult> remove(const Services& services, const Context& context,
                                          const DeleteLaunchTemplateRequest& request) {
    TRY_ASSIGN(const auto was, services.templates.remove(context.caller, name_of(request),
                                                         request.dry_run.value_or(false)));
    DeleteLaunchTemplateResult result;
    result.launch_template = from_template(was);
    return result;
}

template <class Item>
void fill_removal(const control::VersionRemoval& removal, Item& item) {
    if (!removal.id.empty()) {
        item.launch_template_id = removal.id;
    }
    if (!removal.name.empty()) {
        item.launch_template_name = removal.name;
    }
    item.version_number = removal.number;
}

Result<DeleteLaunchTemplateVersionsResult> remove_versions(
    const Services& services, const Context& context,
    const DeleteLaunchTemplateVersionsRequest& request) {
    control::DeleteTemplateVersionsInput input;
    input.of = name_of(request);
    input.versions = request.versions.items();
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto removals, services.templates.remove_versions(context.caller, input));
    DeleteLaunchTemplateVersionsResult result;
    auto& done = result.successfully_deleted_launch_template_versions.give();
    auto& failed = result.unsuccessfully_deleted_launch_template_versions.give();
    for (const control::VersionRemoval& removal : removals) {
        if (removal.error_code.empty()) {
            fill_removal(removal, done.emplace_back());
            continue;
        }
        auto& item = failed.emplace_back();
        fill_removal(removal, item);
        ResponseError& error = item.response_error.emplace();
        error.code = removal.error_code;
        error.message = removal.error_message;
    }
    return result;
}

// A handler of the shape all of them have.
template <class Op, auto Handle>
void add(Registry& registry, const Services& services) {
    registry.add<Op>([services](Context& context, const typename Op::Request& request) {
        return Handle(services, context, request);
    });
}

}  // namespace

void add_launch_template_handlers(Registry& registry, Services services) {
    add<ops::CreateLaunchTemplate, create>(registry, services);
    add<ops::CreateLaunchTemplateVersion, create_version>(registry, services);
    add<ops::DescribeLaunchTemplates, describe>(registry, services);
    add<ops::DescribeLaunchTemplateVersions, describe_versions>(registry, services);
    add<ops::ModifyLaunchTemplate, modify>(registry, services);
    add<ops::DeleteLaunchTemplate, remove>(registry, services);
    add<ops::DeleteLaunchTemplateVersions, remove_versions>(registry, services);
}

}  // namespace kiln::api
