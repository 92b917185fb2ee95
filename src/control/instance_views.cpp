// SPDX-License-Identifier: Apache-2.0
#include "control/instance_views.h"

#include "control/instance_option_filters.h"
#include "control/network_filters.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;

Values one(std::string value) {
    return {std::move(value)};
}
Values unless_empty(const std::string& value) {
    return value.empty() ? Values{} : Values{value};
}
Values boolean(bool value) {
    return {value ? "true" : "false"};
}
template <class E>
Values name(E value) {
    return {std::string(model::to_string(value))};
}

template <class F>
Values each_attachment(const InstanceView& view, F value_of) {
    Values values;
    for (const model::Volume& volume : view.volumes) {
        values.push_back(value_of(volume, model::attachment_to(volume, view.instance.id)));
    }
    return values;
}

using Getters = InstanceGetters;

void add_device_filters(Getters& getters) {
    getters["block-device-mapping.attach-time"] = [](const InstanceView& view) {
        return each_attachment(
            view, [](const auto&, const auto& a) { return format_iso8601(a.attach_time); });
    };
    getters["block-device-mapping.delete-on-termination"] = [](const InstanceView& view) {
        return each_attachment(view, [](const auto&, const auto& a) {
            return std::string(a.delete_on_termination ? "true" : "false");
        });
    };
    getters["block-device-mapping.device-name"] = [](const InstanceView& view) {
        return each_attachment(view, [](const auto&, const auto& a) { return a.device; });
    };
    getters["block-device-mapping.status"] = [](const InstanceView& view) {
        return each_attachment(view, [](const auto&, const auto& a) {
            return std::string(model::to_string(a.state));
        });
    };
    getters["block-device-mapping.volume-id"] = [](const InstanceView& view) {
        return each_attachment(view,
                               [](const auto& volume, const auto&) { return volume.id.str(); });
    };
}

void add_state_filters(Getters& getters) {
    getters["instance-state-name"] = [](const InstanceView& view) {
        return name(view.instance.state);
    };
    getters["instance-state-code"] = [](const InstanceView& view) {
        return one(std::to_string(model::state_code(view.instance.state)));
    };
    getters["reason"] = [](const InstanceView& view) {
        return unless_empty(view.instance.state_transition_reason);
    };
    getters["state-reason-code"] = [](const InstanceView& view) {
        return view.instance.state_reason ? one(view.instance.state_reason->code) : Values{};
    };
    getters["state-reason-message"] = [](const InstanceView& view) {
        return view.instance.state_reason ? one(view.instance.state_reason->message) : Values{};
    };
}

void add_machine_filters(Getters& getters) {
    getters["architecture"] = [](const InstanceView& view) {
        return name(view.instance.architecture);
    };
    getters["boot-mode"] = [](const InstanceView& view) {
        return view.instance.boot_mode ? name(*view.instance.boot_mode) : Values{};
    };
    getters["current-instance-boot-mode"] = [](const InstanceView& view) {
        return name(view.instance.current_boot_mode);
    };
    getters["ebs-optimized"] = [](const InstanceView& view) {
        return boolean(view.instance.ebs_optimized);
    };
    getters["ena-support"] = [](const InstanceView& view) {
        return boolean(view.instance.ena_support);
    };
    getters["hypervisor"] = [](const InstanceView&) { return one("xen"); };
    getters["instance-type"] = [](const InstanceView& view) {
        return one(view.instance.instance_type);
    };
    getters["platform"] = [](const InstanceView& view) {
        return unless_empty(view.instance.platform);
    };
    getters["platform-details"] = [](const InstanceView& view) {
        return one(view.instance.platform_details);
    };
    getters["root-device-name"] = [](const InstanceView& view) {
        return one(view.instance.root_device_name);
    };
    getters["root-device-type"] = [](const InstanceView& view) {
        return name(view.instance.root_device_type);
    };
    getters["usage-operation"] = [](const InstanceView& view) {
        return one(view.instance.usage_operation);
    };
    getters["virtualization-type"] = [](const InstanceView& view) {
        return name(view.instance.virtualization_type);
    };
}

void add_launch_filters(Getters& getters) {
    getters["availability-zone"] = [](const InstanceView& view) {
        return one(view.instance.availability_zone);
    };
    getters["availability-zone-id"] = [](const InstanceView& view) {
        return unless_empty(view.zone_id);
    };
    getters["client-token"] = [](const InstanceView& view) {
        return unless_empty(view.instance.client_token);
    };
    getters["image-id"] = [](const InstanceView& view) {
        return one(view.instance.image_id.str());
    };
    getters["instance-id"] = [](const InstanceView& view) { return one(view.instance.id.str()); };
    getters["iam-instance-profile.arn"] = [](const InstanceView& view) {
        return unless_empty(view.instance.profile ? view.instance.profile->arn : std::string());
    };
    getters["iam-instance-profile.id"] = [](const InstanceView& view) {
        return unless_empty(view.instance.profile ? view.instance.profile->id.str()
                                                  : std::string());
    };
    getters["key-name"] = [](const InstanceView& view) {
        return unless_empty(view.instance.key_name);
    };
    getters["launch-index"] = [](const InstanceView& view) {
        return one(std::to_string(view.instance.launch_index));
    };
    getters["launch-time"] = [](const InstanceView& view) {
        return one(format_iso8601(view.instance.launched));
    };
    getters["monitoring-state"] = [](const InstanceView& view) {
        return one(view.instance.detailed_monitoring ? "enabled" : "disabled");
    };
    getters["owner-id"] = [](const InstanceView& view) {
        return one(view.instance.owner_id.str());
    };
    getters["private-ip-address"] = [](const InstanceView& view) {
        return unless_empty(view.instance.private_ip);
    };
    getters["ip-address"] = [](const InstanceView& view) {
        return unless_empty(view.instance.public_ip);
    };
    getters["reservation-id"] = [](const InstanceView& view) {
        return one(view.instance.reservation_id.str());
    };
    getters["source-dest-check"] = [](const InstanceView& view) {
        return boolean(view.instance.source_dest_check);
    };
    getters["tenancy"] = [](const InstanceView&) { return one("default"); };
}

FilterTable<InstanceView> make_table() {
    Getters getters;
    add_device_filters(getters);
    add_state_filters(getters);
    add_machine_filters(getters);
    add_launch_filters(getters);
    add_interface_filters(getters);
    add_option_filters(getters);
    return FilterTable<InstanceView>(
        [](const InstanceView& view) -> const std::vector<model::Tag>& { return view.tags; },
        std::move(getters));
}

Status load_group_names(catalog::Transaction& tx, std::vector<InstanceView>& views) {
    std::set<model::SecurityGroupId> ids;
    for (const InstanceView& view : views) {
        ids.insert(view.instance.security_groups.begin(), view.instance.security_groups.end());
    }
    if (ids.empty()) {
        return ok();
    }
    catalog::SecurityGroupQuery query;
    query.ids.assign(ids.begin(), ids.end());
    TRY_ASSIGN(const auto groups, tx.security_groups().list(query));
    for (InstanceView& view : views) {
        const auto& of_instance = view.instance.security_groups;
        for (const model::SecurityGroup& group : groups) {
            if (std::find(of_instance.begin(), of_instance.end(), group.id) != of_instance.end()) {
                view.group_names[group.id] = group.name;
            }
        }
    }
    return ok();
}

}  // namespace

bool has_interface(const model::Instance& instance) {
    return !instance.network_interface_id.empty() &&
           instance.state != model::InstanceState::terminated;
}

Result<std::vector<InstanceView>> load_views(catalog::Transaction& tx, const Topology& topology,
                                             const Caller& caller,
                                             std::vector<model::Instance> instances) {
    std::vector<InstanceView> views;
    std::vector<std::string> ids;
    std::map<model::InstanceId, std::size_t> place;
    catalog::VolumeQuery attached;
    for (model::Instance& instance : instances) {
        ids.push_back(instance.id.str());
        if (has_interface(instance)) {
            ids.push_back(instance.network_interface_id.str());
        }
        attached.attached_to.push_back(instance.id);
        place[instance.id] = views.size();
        InstanceView& view = views.emplace_back();
        view.zone_id = topology.zone_id(instance.region, instance.availability_zone);
        view.instance = std::move(instance);
    }
    if (views.empty()) {
        return views;
    }
    TRY_ASSIGN(const std::vector<model::Volume> volumes, tx.volumes().list(attached));
    for (const model::Volume& volume : volumes) {
        for (const model::VolumeAttachment& attachment : volume.attachments) {
            if (const auto view = place.find(attachment.instance_id); view != place.end()) {
                views[view->second].volumes.push_back(volume);
            }
        }
    }
    TRY_ASSIGN(const auto tags, tx.tags().of(caller.account, ids));
    const auto tags_of = [&](const std::string& id) {
        const auto found = tags.find(id);
        return found != tags.end() ? found->second : std::vector<model::Tag>();
    };
    for (InstanceView& view : views) {
        const auto place_of = [&](const model::Volume& volume) {
            const std::string& device = model::attachment_to(volume, view.instance.id).device;
            return std::pair(!model::same_device(device, view.instance.root_device_name), device);
        };
        std::sort(view.volumes.begin(), view.volumes.end(),
                  [&](const model::Volume& a, const model::Volume& b) {
                      return place_of(a) < place_of(b);
                  });
        view.tags = tags_of(view.instance.id.str());
        if (has_interface(view.instance)) {
            view.interface_tags = tags_of(view.instance.network_interface_id.str());
        }
    }
    TRY(load_group_names(tx, views));
    return views;
}

std::vector<ReservationView> group_by_reservation(std::vector<InstanceView> views) {
    std::vector<ReservationView> reservations;
    std::map<model::ReservationId, std::size_t> place;
    for (InstanceView& view : views) {
        const auto [entry, fresh] =
            place.emplace(view.instance.reservation_id, reservations.size());
        if (fresh) {
            reservations.push_back({view.instance.reservation_id, view.instance.owner_id, {}});
        }
        reservations[entry->second].instances.push_back(std::move(view));
    }
    return reservations;
}

const FilterTable<InstanceView>& instance_filters() {
    static const FilterTable<InstanceView> table = make_table();
    return table;
}

}  // namespace kiln::control
