// SPDX-License-Identifier: Apache-2.0
// DescribeInstanceAttribute and ModifyInstanceAttribute: one attribute at a time, in the structure
// of its own or, as old clients send it, as Attribute and Value.
#include <map>

#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/describe_instance_attribute.h"
#include "api/generated/ec2/modify_instance_attribute.h"
#include "control/api_errors.h"
#include "control/instance_attributes.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::api {
namespace {

using namespace ec2;

std::optional<bool> flag(const std::optional<AttributeBooleanValue>& value) {
    return value && value->value.has_value() ? std::optional(*value->value) : std::nullopt;
}

std::optional<std::string> text(const std::optional<AttributeValue>& value) {
    return value ? value->value : std::nullopt;
}

Status refuse_unbuilt(const ModifyInstanceAttributeRequest& request) {
    if (text(request.kernel)) {
        return not_built("Kernel");
    }
    if (text(request.ramdisk)) {
        return not_built("Ramdisk");
    }
    if (request.enclave_options) {
        return not_built("EnclaveOptions");
    }
    return ok();
}

Result<bool> parse_flag(const std::string& value) {
    const std::string word = to_lower(value);  // WIRE-4
    if (word == "true" || word == "false") {
        return word == "true";
    }
    return bad_enum(value, "Value");
}

Result<Bytes> parse_user_data(const std::string& value) {
    auto bytes = base64_decode(value);
    if (!bytes) {  // RUN-4
        return Error::api(Code::invalid_argument, "InvalidUserData.Malformed",
                          "Invalid BASE64 encoding of user data.");
    }
    return bytes;
}

// Attribute=..., Value=...
Status take_named(const std::string& name, const std::string& value,
                  control::AttributeChange& change) {
    const std::map<std::string, std::optional<bool> control::AttributeChange::*> flags = {
        {"sourceDestCheck", &control::AttributeChange::source_dest_check},
        {"disableApiTermination", &control::AttributeChange::disable_api_termination},
        {"disableApiStop", &control::AttributeChange::disable_api_stop},
        {"ebsOptimized", &control::AttributeChange::ebs_optimized},
        {"enaSupport", &control::AttributeChange::ena_support},
    };
    if (const auto found = flags.find(name); found != flags.end()) {
        TRY_ASSIGN(change.*(found->second), parse_flag(value));
    } else if (name == "instanceInitiatedShutdownBehavior") {
        TRY_ASSIGN(change.shutdown_behavior,
                   to_enum(std::optional(value), "Value", model::ShutdownBehavior::stop));
    } else if (name == "instanceType") {
        change.instance_type = value;
    } else if (name == "userData") {
        TRY_ASSIGN(change.user_data, parse_user_data(value));
    } else if (name == "sriovNetSupport") {
        change.sriov_net_support = value;
    } else if (name == "groupSet") {
        TRY_ASSIGN(change.groups.emplace_back(), model::parse_security_group_id(value));
    } else if (name == "kernel" || name == "ramdisk" || name == "enclaveOptions") {
        return not_built("Attribute " + name);
    } else {
        return bad_enum(name, "Attribute");
    }
    return ok();
}

Result<control::AttributeChange> to_change(const ModifyInstanceAttributeRequest& request) {
    TRY(refuse_unbuilt(request));
    control::AttributeChange change;
    if (given(request.attribute) && request.value) {
        TRY(take_named(*request.attribute, *request.value, change));
    }
    const auto take = [](auto& to, auto from) {
        if (from) {
            to = std::move(*from);
        }
    };
    take(change.source_dest_check, flag(request.source_dest_check));
    take(change.disable_api_termination, flag(request.disable_api_termination));
    take(change.disable_api_stop, flag(request.disable_api_stop));
    take(change.ebs_optimized, flag(request.ebs_optimized));
    take(change.ena_support, flag(request.ena_support));
    take(change.instance_type, text(request.instance_type));
    take(change.sriov_net_support, text(request.sriov_net_support));
    if (const auto behavior = text(request.instance_initiated_shutdown_behavior)) {
        TRY_ASSIGN(change.shutdown_behavior,
                   to_enum(behavior, "InstanceInitiatedShutdownBehavior.Value",
                           model::ShutdownBehavior::stop));
    }
    if (request.user_data) {
        change.user_data = request.user_data->value.value_or(Bytes{});
    }
    for (const std::string& group : request.groups) {
        TRY_ASSIGN(change.groups.emplace_back(), model::parse_security_group_id(group));
    }
    for (const InstanceBlockDeviceMappingSpecification& mapping : request.block_device_mappings) {
        if (given(mapping.no_device) || given(mapping.virtual_name)) {
            return not_built("BlockDeviceMapping (other than Ebs.DeleteOnTermination)");
        }
        control::DeviceChange& device = change.devices.emplace_back();
        device.device = mapping.device_name.value_or("");
        if (mapping.ebs) {
            device.volume_id = mapping.ebs->volume_id.value_or("");
            if (mapping.ebs->delete_on_termination.has_value()) {
                device.delete_on_termination = *mapping.ebs->delete_on_termination;
            }
        }
    }
    return change;
}

AttributeBooleanValue from_flag(bool value) {
    AttributeBooleanValue out;
    out.value = value;
    return out;
}

AttributeValue from_text(std::string value) {
    AttributeValue out;
    if (!value.empty()) {
        out.value = std::move(value);
    }
    return out;
}

void fill_devices(const control::InstanceView& view, InstanceAttribute& out) {
    out.block_device_mappings.give();
    for (const model::Volume& volume : view.volumes) {
        InstanceBlockDeviceMapping& device = out.block_device_mappings.emplace_back();
        const auto& attachment = model::attachment_to(volume, view.instance.id);
        device.device_name = attachment.device;
        EbsInstanceBlockDevice& ebs = device.ebs.emplace();
        ebs.attach_time = attachment.attach_time;
        ebs.delete_on_termination = attachment.delete_on_termination;
        ebs.status = std::string(model::to_string(attachment.state));
        ebs.volume_id = volume.id.str();
    }
}

using Fill = void (*)(const control::InstanceView&, InstanceAttribute&);

const std::map<std::string, Fill>& fills() {
    static const std::map<std::string, Fill> table = {
        {"instanceType",
         [](const auto& view, auto& out) {
             out.instance_type = from_text(view.instance.instance_type);
         }},
        {"kernel", [](const auto& view,
                      auto& out) { out.kernel_id = from_text(view.instance.kernel_id.str()); }},
        {"ramdisk", [](const auto& view,
                       auto& out) { out.ramdisk_id = from_text(view.instance.ramdisk_id.str()); }},
        {"userData",
         [](const auto& view, auto& out) {
             out.user_data = from_text(base64_encode(view.instance.user_data));
         }},
        {"disableApiTermination",
         [](const auto& view, auto& out) {
             out.disable_api_termination = from_flag(view.instance.disable_api_termination);
         }},
        {"disableApiStop",
         [](const auto& view, auto& out) {
             out.disable_api_stop = from_flag(view.instance.disable_api_stop);
         }},
        {"instanceInitiatedShutdownBehavior",
         [](const auto& view, auto& out) {
             out.instance_initiated_shutdown_behavior =
                 from_text(std::string(model::to_string(view.instance.shutdown_behavior)));
         }},
        {"rootDeviceName",
         [](const auto& view, auto& out) {
             out.root_device_name = from_text(view.instance.root_device_name);
         }},
        {"blockDeviceMapping", fill_devices},
        {"productCodes", [](const auto&, auto& out) { out.product_codes.give(); }},
        {"sourceDestCheck",
         [](const auto& view, auto& out) {
             out.source_dest_check = from_flag(view.instance.source_dest_check);
         }},
        {"groupSet",
         [](const auto& view, auto& out) {
             out.groups.give();
             for (const auto& group : view.instance.security_groups) {
                 out.groups.emplace_back().group_id = group.str();
             }
         }},
        {"ebsOptimized",
         [](const auto& view, auto& out) {
             out.ebs_optimized = from_flag(view.instance.ebs_optimized);
         }},
        {"enaSupport", [](const auto& view,
                          auto& out) { out.ena_support = from_flag(view.instance.ena_support); }},
        {"sriovNetSupport",
         [](const auto& view, auto& out) {
             out.sriov_net_support =
                 from_text(view.instance.sriov_net_simple ? "simple" : std::string());
         }},
        {"enclaveOptions",
         [](const auto&, auto& out) { out.enclave_options.emplace().enabled = false; }},
    };
    return table;
}

Result<InstanceAttribute> describe(const Services& services, const Context& context,
                                   const DescribeInstanceAttributeRequest& request) {
    if (!given(request.instance_id)) {
        return control::errors::missing_parameter("InstanceId");
    }
    if (!given(request.attribute)) {
        return control::errors::missing_parameter("Attribute");
    }
    TRY_ASSIGN(const auto id, model::parse_instance_id(*request.instance_id));
    const auto fill = fills().find(*request.attribute);
    if (fill == fills().end()) {
        return bad_enum(*request.attribute, "Attribute");
    }
    TRY_ASSIGN(const auto view, services.attributes.look(context.caller, id));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    InstanceAttribute out;
    out.instance_id = id.str();
    fill->second(view, out);
    return out;
}

}  // namespace

void add_instance_attribute_handlers(Registry& registry, Services services) {
    registry.add<ops::DescribeInstanceAttribute>(
        [services](Context& context, const DescribeInstanceAttributeRequest& request) {
            return describe(services, context, request);
        });
    registry.add<ops::ModifyInstanceAttribute>(
        [services](Context& context,
                   const ModifyInstanceAttributeRequest& request) -> Result<Void> {
            if (!given(request.instance_id)) {
                return control::errors::missing_parameter("InstanceId");
            }
            TRY_ASSIGN(const auto id, model::parse_instance_id(*request.instance_id));
            TRY_ASSIGN(const auto change, to_change(request));
            TRY(services.attributes.modify(context.caller, id, change,
                                           request.dry_run.value_or(false)));
            return Void{};
        });
}

}  // namespace kiln::api
