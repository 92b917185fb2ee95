// SPDX-License-Identifier: Apache-2.0
// DescribeVolumeStatus, EnableVolumeIO, DescribeVolumeAttribute, ModifyVolumeAttribute.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/describe_volume_attribute.h"
#include "api/generated/ec2/describe_volume_status.h"
#include "api/generated/ec2/enable_volume_io.h"
#include "api/generated/ec2/modify_volume_attribute.h"
#include "control/api_errors.h"
#include "control/volume_health.h"

namespace kiln::api {
namespace {

using namespace ec2;

void put_event(VolumeStatusItem& out, const model::VolumeEventNote& event) {
    VolumeStatusEvent shown;
    shown.event_id = event.id.str();
    shown.event_type = control::kVolumeEventType;
    shown.description = control::describe_event(event);
    shown.not_before = event.since;
    if (!event.instance_id.empty()) {
        shown.instance_id = event.instance_id.str();
    }
    out.events.push_back(std::move(shown));
    VolumeStatusAction action;
    action.code = control::kVolumeActionCode;
    action.description = control::kVolumeActionText;
    action.event_id = event.id.str();
    action.event_type = control::kVolumeEventType;
    out.actions.push_back(std::move(action));
}

VolumeStatusItem from_view(const control::VolumeStatusView& view) {
    VolumeStatusItem out;
    out.volume_id = view.volume.id.str();
    out.availability_zone = view.volume.availability_zone;
    if (!view.zone_id.empty()) {
        out.availability_zone_id = view.zone_id;
    }
    if (!view.volume.outpost_arn.empty()) {
        out.outpost_arn = view.volume.outpost_arn;
    }
    VolumeStatusInfo info;
    info.status = std::string(model::to_string(view.status));
    for (const auto& [name, state] : control::status_details(view)) {
        VolumeStatusDetails detail;
        detail.name = name;
        detail.status = state;
        info.details.push_back(std::move(detail));
    }
    out.volume_status = std::move(info);
    out.events.give();
    out.actions.give();
    if (view.volume.event) {
        put_event(out, *view.volume.event);
    }
    if (view.volume.multi_attach) {  // VOL-17
        out.attachment_statuses.give();
        for (const model::VolumeAttachment& attachment : view.volume.attachments) {
            VolumeStatusAttachmentStatus one;
            one.instance_id = attachment.instance_id.str();
            one.io_performance = "not-applicable";
            out.attachment_statuses.push_back(std::move(one));
        }
    }
    return out;
}

Result<DescribeVolumeStatusResult> describe(const Services& services, const Context& context,
                                            const DescribeVolumeStatusRequest& request) {
    control::DescribeVolumeStatusInput input;
    for (const std::string& id : request.volume_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_volume_id(id));
    }
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.volume_health.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeVolumeStatusResult result;
    result.volume_statuses.give();
    for (const control::VolumeStatusView& view : page.items) {
        result.volume_statuses.push_back(from_view(view));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

Result<model::VolumeId> volume_of(const std::optional<std::string>& id) {
    if (!given(id)) {
        return control::errors::missing_parameter("VolumeId");
    }
    return model::parse_volume_id(*id);
}

Result<DescribeVolumeAttributeResult> attribute(const Services& services, const Context& context,
                                                const DescribeVolumeAttributeRequest& request) {
    TRY_ASSIGN(const auto id, volume_of(request.volume_id));
    if (!given(request.attribute)) {
        return control::errors::missing_parameter("Attribute");
    }
    const bool auto_enable = *request.attribute == "autoEnableIO";
    if (!auto_enable && *request.attribute != "productCodes") {
        return bad_enum(*request.attribute, "Attribute");
    }
    TRY_ASSIGN(const auto volume, services.volume_health.attributes(
                                      context.caller, id, request.dry_run.value_or(false)));
    DescribeVolumeAttributeResult result;
    result.volume_id = id.str();
    if (auto_enable) {
        result.auto_enable_io.emplace().value = volume.auto_enable_io;
    } else {
        result.product_codes.give();  // VOL-18: no volume has any
    }
    return result;
}

Result<Void> modify(const Services& services, const Context& context,
                    const ModifyVolumeAttributeRequest& request) {
    TRY_ASSIGN(const auto id, volume_of(request.volume_id));
    if (!request.auto_enable_io || !request.auto_enable_io->value.has_value()) {
        return control::errors::missing_parameter("AutoEnableIO");
    }
    TRY(services.volume_health.set_auto_enable_io(
        context.caller, id, *request.auto_enable_io->value, request.dry_run.value_or(false)));
    return Void{};
}

}  // namespace

void add_volume_status_handlers(Registry& registry, Services services) {
    registry.add<ops::DescribeVolumeStatus>(
        [services](Context& context, const DescribeVolumeStatusRequest& request) {
            return describe(services, context, request);
        });
    registry.add<ops::EnableVolumeIO>(
        [services](Context& context, const EnableVolumeIORequest& request) -> Result<Void> {
            TRY_ASSIGN(const auto id, volume_of(request.volume_id));
            TRY(services.volume_health.enable_io(context.caller, id,
                                                 request.dry_run.value_or(false)));
            return Void{};
        });
    registry.add<ops::DescribeVolumeAttribute>(
        [services](Context& context, const DescribeVolumeAttributeRequest& request) {
            return attribute(services, context, request);
        });
    registry.add<ops::ModifyVolumeAttribute>(
        [services](Context& context, const ModifyVolumeAttributeRequest& request) {
            return modify(services, context, request);
        });
}

}  // namespace kiln::api
