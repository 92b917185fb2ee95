// SPDX-License-Identifier: Apache-2.0
// ResetInstanceAttribute, MonitorInstances, UnmonitorInstances, GetPasswordData,
// GetInstanceUefiData, DescribeInstanceCreditSpecifications, GetInstanceMetadataDefaults,
// ModifyInstanceMetadataDefaults.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/metadata_options.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/describe_instance_credit_specifications.h"
#include "api/generated/ec2/get_instance_metadata_defaults.h"
#include "api/generated/ec2/get_instance_uefi_data.h"
#include "api/generated/ec2/get_password_data.h"
#include "api/generated/ec2/modify_instance_metadata_defaults.h"
#include "api/generated/ec2/monitor_instances.h"
#include "api/generated/ec2/reset_instance_attribute.h"
#include "api/generated/ec2/unmonitor_instances.h"
#include "control/api_errors.h"
#include "control/instance_settings.h"
#include "control/region_settings.h"

namespace kiln::api {
namespace {

using namespace ec2;

Result<model::InstanceId> instance_of(const std::optional<std::string>& id) {
    if (!given(id)) {
        return control::errors::missing_parameter("InstanceId");
    }
    return model::parse_instance_id(*id);
}

Result<Void> reset(const Services& services, const Context& context,
                   const ResetInstanceAttributeRequest& request) {
    TRY_ASSIGN(const auto id, instance_of(request.instance_id));
    if (!given(request.attribute)) {
        return control::errors::missing_parameter("Attribute");
    }
    control::ResetAttribute attribute = control::ResetAttribute::source_dest_check;
    if (*request.attribute == "kernel") {
        attribute = control::ResetAttribute::kernel;
    } else if (*request.attribute == "ramdisk") {
        attribute = control::ResetAttribute::ramdisk;
    } else if (*request.attribute != "sourceDestCheck") {
        return bad_enum(*request.attribute, "Attribute");
    }
    TRY(services.instance_settings.reset(context.caller, id, attribute,
                                         request.dry_run.value_or(false)));
    return Void{};
}

template <class Response, class Request>
Result<Response> monitor(const Services& services, const Context& context, const Request& request,
                         bool enable) {
    if (!request.metric_category_ids.empty()) {
        return not_built("MetricCategoryId");
    }
    TRY_ASSIGN(const auto ids, to_instance_ids(request.instance_ids));
    TRY_ASSIGN(const auto states,
               services.instance_settings.monitor(context.caller, ids, enable,
                                                  request.dry_run.value_or(false)));
    Response response;
    for (const control::Monitored& state : states) {
        InstanceMonitoring& entry = response.instance_monitorings.emplace_back();
        entry.instance_id = state.id.str();
        entry.monitoring.emplace().state = state.state;
    }
    return response;
}

Result<DescribeInstanceCreditSpecificationsResult> credits(
    const Services& services, const Context& context,
    const DescribeInstanceCreditSpecificationsRequest& request) {
    control::DescribeCreditsInput input;
    for (const std::string& id : request.instance_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_instance_id(id));
    }
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.instance_settings.describe_credits(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeInstanceCreditSpecificationsResult result;
    result.instance_credit_specifications.give();
    for (const control::CreditView& view : page.items) {
        InstanceCreditSpecification& entry = result.instance_credit_specifications.emplace_back();
        entry.instance_id = view.instance.id.str();
        entry.cpu_credits = std::string(model::to_string(view.credits));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

// IMDS-4: `no-preference`, and -1, take a choice back.
template <class T>
using Change = std::optional<std::optional<T>>;

Result<Change<bool>> to_choice(const std::optional<std::string>& text, std::string_view parameter,
                               std::string_view no, std::string_view yes) {
    if (given(text) && *text == "no-preference") {
        return Change<bool>(std::optional<bool>());
    }
    TRY_ASSIGN(const auto flag, to_flag(text, parameter, no, yes));
    return flag ? Change<bool>(flag) : Change<bool>();
}

Result<ModifyInstanceMetadataDefaultsResult> modify_defaults(
    const Services& services, const Context& context,
    const ModifyInstanceMetadataDefaultsRequest& request) {
    control::MetadataDefaultsChange change;
    TRY_ASSIGN(change.tokens_required,
               to_choice(request.http_tokens, "HttpTokens", "optional", "required"));
    TRY_ASSIGN(change.endpoint_enabled,
               to_choice(request.http_endpoint, "HttpEndpoint", "disabled", "enabled"));
    TRY_ASSIGN(
        change.instance_tags_enabled,
        to_choice(request.instance_metadata_tags, "InstanceMetadataTags", "disabled", "enabled"));
    TRY_ASSIGN(change.tokens_enforced, to_choice(request.http_tokens_enforced, "HttpTokensEnforced",
                                                 "disabled", "enabled"));
    if (request.http_put_response_hop_limit.has_value()) {
        change.hop_limit = *request.http_put_response_hop_limit;
    }
    TRY(services.region_choices.set(context.caller, change, request.dry_run.value_or(false)));
    ModifyInstanceMetadataDefaultsResult result;
    result.return_ = true;
    return result;
}

Result<GetInstanceMetadataDefaultsResult> get_defaults(
    const Services& services, const Context& context,
    const GetInstanceMetadataDefaultsRequest& request) {
    TRY_ASSIGN(const auto settings,
               services.region_choices.get(context.caller, request.dry_run.value_or(false)));
    const model::MetadataDefaults& chosen = settings.metadata;
    GetInstanceMetadataDefaultsResult result;
    InstanceMetadataDefaultsResponse& out = result.account_level.emplace();
    const auto put = [](std::optional<std::string>& to, const std::optional<bool>& flag,
                        const char* no, const char* yes) {
        if (flag) {
            to = *flag ? yes : no;
        }
    };
    put(out.http_tokens, chosen.tokens_required, "optional", "required");
    put(out.http_endpoint, chosen.endpoint_enabled, "disabled", "enabled");
    put(out.instance_metadata_tags, chosen.instance_tags_enabled, "disabled", "enabled");
    put(out.http_tokens_enforced, chosen.tokens_enforced, "disabled", "enabled");
    if (chosen.hop_limit) {
        out.http_put_response_hop_limit = static_cast<std::int32_t>(*chosen.hop_limit);
    }
    out.managed_by = "account";
    return result;
}

void add_lookers(Registry& registry, const Services& services) {
    registry.add<ops::GetPasswordData>(
        [services](Context& context,
                   const GetPasswordDataRequest& request) -> Result<GetPasswordDataResult> {
            TRY_ASSIGN(const auto id, instance_of(request.instance_id));
            TRY_ASSIGN(const auto instance,
                       services.instance_settings.look(context.caller, id,
                                                       request.dry_run.value_or(false)));
            GetPasswordDataResult result;
            result.instance_id = id.str();
            result.timestamp = instance.launched;
            result.password_data = "";  // PWD-1
            return result;
        });
    registry.add<ops::GetInstanceUefiData>(
        [services](Context& context,
                   const GetInstanceUefiDataRequest& request) -> Result<GetInstanceUefiDataResult> {
            TRY_ASSIGN(const auto id, instance_of(request.instance_id));
            TRY_ASSIGN(auto data, services.instance_settings.uefi_data(
                                      context.caller, id, request.dry_run.value_or(false)));
            GetInstanceUefiDataResult result;
            result.instance_id = id.str();
            result.uefi_data = std::move(data);
            return result;
        });
    registry.add<ops::DescribeInstanceCreditSpecifications>(
        [services](Context& context, const DescribeInstanceCreditSpecificationsRequest& request) {
            return credits(services, context, request);
        });
}

}  // namespace

void add_instance_settings_handlers(Registry& registry, Services services) {
    registry.add<ops::ResetInstanceAttribute>(
        [services](Context& context, const ResetInstanceAttributeRequest& request) {
            return reset(services, context, request);
        });
    registry.add<ops::MonitorInstances>(
        [services](Context& context, const MonitorInstancesRequest& request) {
            return monitor<MonitorInstancesResult>(services, context, request, true);
        });
    registry.add<ops::UnmonitorInstances>(
        [services](Context& context, const UnmonitorInstancesRequest& request) {
            return monitor<UnmonitorInstancesResult>(services, context, request, false);
        });
    registry.add<ops::GetInstanceMetadataDefaults>(
        [services](Context& context, const GetInstanceMetadataDefaultsRequest& request) {
            return get_defaults(services, context, request);
        });
    registry.add<ops::ModifyInstanceMetadataDefaults>(
        [services](Context& context, const ModifyInstanceMetadataDefaultsRequest& request) {
            return modify_defaults(services, context, request);
        });
    add_lookers(registry, services);
}

}  // namespace kiln::api
