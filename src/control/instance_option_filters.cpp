// SPDX-License-Identifier: Apache-2.0
#include "control/instance_option_filters.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;

// FLT-10: spot, dedicated hosts, reservations, placement groups, IPv6, carrier and elastic
// addresses, other services that manage instances: nothing is found by them.
constexpr const char* kOfNone[] = {
    "affinity",
    "capacity-reservation-id",
    "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
    ("capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-"
     "group-arn"),
    "host-id",
    "instance-lifecycle",
    "ipv6-address",
    "network-interface.addresses.association.allocation-id",
    "network-interface.addresses.association.association-id",
    "network-interface.addresses.association.carrier-ip",
    "network-interface.addresses.association.customer-owned-ip",
    "network-interface.addresses.association.public-dns-name",
    "network-interface.association.allocation-id",
    "network-interface.association.association-id",
    "network-interface.association.carrier-ip",
    "network-interface.association.customer-owned-ip",
    "network-interface.association.public-dns-name",
    "network-interface.ipv4-prefixes.ipv4-prefix",
    "network-interface.ipv6-address",
    "network-interface.ipv6-addresses.ipv6-address",
    "network-interface.ipv6-addresses.is-primary-ipv6",
    "network-interface.ipv6-prefixes.ipv6-prefix",
    "network-interface.operator.principal",
    "network-interface.public-dns-name",
    "network-interface.requester-id",
    "operator.principal",
    "placement-group-name",
    "placement-partition-number",
    "requester-id",
    "spot-instance-request-id",
};

// What is the same for all; DescribeInstances shows it (INS-4).
constexpr std::pair<const char*, const char*> kOfAll[] = {
    {"enclave-options.enabled", "false"},
    {"hibernation-options.configured", "false"},
    {"maintenance-options.auto-recovery", "default"},
    {"metadata-options.http-protocol-ipv6", "disabled"},
    {"network-performance-options.bandwidth-weighting", "default"},
    {"operator.managed", "false"},
    {"private-dns-name-options.enable-resource-name-dns-a-record", "false"},
    {"private-dns-name-options.enable-resource-name-dns-aaaa-record", "false"},
    {"private-dns-name-options.hostname-type", "ip-name"},
};

Values switched(bool on) {
    return {on ? "enabled" : "disabled"};
}

Values unless_empty(const std::string& value) {
    return value.empty() ? Values{} : Values{value};
}

void add_metadata_filters(InstanceGetters& getters) {
    getters["metadata-options.http-tokens"] = [](const InstanceView& view) {
        return Values{view.instance.metadata_options.tokens_required ? "required" : "optional"};
    };
    getters["metadata-options.http-put-response-hop-limit"] = [](const InstanceView& view) {
        return Values{std::to_string(view.instance.metadata_options.hop_limit)};
    };
    for (const char* name :
         {"metadata-options.http-endpoint", "metadata-options.http-protocol-ipv4"}) {
        getters[name] = [](const InstanceView& view) {
            return switched(view.instance.metadata_options.endpoint_enabled);
        };
    }
    getters["metadata-options.instance-metadata-tags"] = [](const InstanceView& view) {
        return switched(view.instance.metadata_options.instance_tags_enabled);
    };
    getters["metadata-options.state"] = [](const InstanceView& view) {  // IMDS-4
        return Values{view.instance.state == model::InstanceState::pending ? "pending" : "applied"};
    };
}

Values each_product_code(const InstanceView& view, std::string model::ProductCode::*part) {
    Values values;
    for (const model::ProductCode& code : view.instance.product_codes) {
        values.push_back(code.*part);
    }
    return values;
}

void add_image_filters(InstanceGetters& getters) {
    getters["product-code"] = [](const InstanceView& view) {
        return each_product_code(view, &model::ProductCode::id);
    };
    getters["product-code.type"] = [](const InstanceView& view) {
        return each_product_code(view, &model::ProductCode::type);
    };
    getters["kernel-id"] = [](const InstanceView& view) {
        return unless_empty(view.instance.kernel_id.str());
    };
    getters["ramdisk-id"] = [](const InstanceView& view) {
        return unless_empty(view.instance.ramdisk_id.str());
    };
    getters["tpm-support"] = [](const InstanceView& view) {
        return view.instance.tpm_v2 ? Values{"v2.0"} : Values{};
    };
    getters["usage-operation-update-time"] = [](const InstanceView& view) {
        return Values{format_iso8601(view.instance.created)};
    };
}

}  // namespace

void add_option_filters(InstanceGetters& getters) {
    for (const char* name : kOfNone) {
        getters[name] = [](const InstanceView&) { return Values{}; };
    }
    for (const auto& [name, value] : kOfAll) {
        getters[name] = [text = std::string(value)](const InstanceView&) { return Values{text}; };
    }
    add_metadata_filters(getters);
    add_image_filters(getters);
    getters["capacity-reservation-specification.capacity-reservation-preference"] =
        [](const InstanceView& view) {
            return Values{std::string(model::to_string(view.instance.capacity_preference))};
        };
    getters["outpost-arn"] = [](const InstanceView& view) {
        return unless_empty(view.instance.outpost_arn);
    };
}

}  // namespace kiln::control
