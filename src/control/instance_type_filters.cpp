// SPDX-License-Identifier: Apache-2.0
// The filters of DescribeInstanceTypes (TYP-2).
#include <fmt/format.h>

#include "control/instance_type_offers.h"
#include "control/volume_plan.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;
using Getters = std::map<std::string, FilterTable<InstanceType>::Getter, std::less<>>;

Values listed(std::string_view comma_separated) {
    Values values;
    for (const std::string_view part : split(comma_separated, ',')) {
        values.emplace_back(part);
    }
    return values;
}

Values boolean(bool value) {
    return {value ? "true" : "false"};
}

Values number(std::uint64_t value) {
    return {std::to_string(value)};
}

void add_machine(Getters& getters) {
    getters["instance-type"] = [](const auto& t) { return Values{std::string(t.name)}; };
    getters["current-generation"] = [](const auto& t) {
        return boolean(t.family->current_generation);
    };
    getters["free-tier-eligible"] = [](const auto& t) { return boolean(t.free_tier); };
    getters["bare-metal"] = [](const auto&) { return boolean(false); };
    getters["hypervisor"] = [](const auto& t) { return listed(t.family->hypervisor); };
    getters["burstable-performance-supported"] = [](const auto& t) {
        return boolean(t.family->burstable);
    };
    getters["hibernation-supported"] = [](const auto&) { return boolean(false); };
    getters["dedicated-hosts-supported"] = [](const auto&) { return boolean(false); };
    getters["reboot-migration-support"] = [](const auto&) { return Values{"unsupported"}; };
    getters["auto-recovery-supported"] = [](const auto&) { return boolean(false); };
    getters["supported-boot-mode"] = [](const auto& t) { return listed(t.family->boot_modes); };
    getters["supported-root-device-type"] = [](const auto& t) {
        return listed(t.family->root_device_types);
    };
    getters["supported-usage-class"] = [](const auto&) { return Values{"on-demand"}; };
    getters["supported-virtualization-type"] = [](const auto& t) {
        return listed(t.family->virtualization_types);
    };
    getters["nitro-enclaves-support"] = [](const auto&) { return Values{"unsupported"}; };
    getters["nitro-tpm-support"] = [](const auto&) { return Values{"unsupported"}; };
    getters["nitro-tpm-info.supported-versions"] = [](const auto&) { return Values{}; };
    getters["placement-group-info.supported-strategies"] = [](const auto& t) {
        return listed(t.family->placement);
    };
}

void add_processor(Getters& getters) {
    getters["processor-info.supported-architecture"] = [](const auto& t) {
        return listed(t.family->architectures);
    };
    getters["processor-info.sustained-clock-speed-in-ghz"] = [](const auto& t) {
        return Values{fmt::format("{:.1f}", t.clock_ghz)};
    };
    getters["processor-info.manufacturer"] = [](const auto& t) {
        return listed(t.family->manufacturer);
    };
    getters["processor-info.supported-features"] = [](const auto&) { return Values{}; };
    getters["vcpu-info.default-vcpus"] = [](const auto& t) { return number(t.vcpus); };
    getters["vcpu-info.default-cores"] = [](const auto& t) { return number(t.cores); };
    getters["vcpu-info.valid-cores"] = [](const auto& t) { return number(t.cores); };
    getters["vcpu-info.default-threads-per-core"] = [](const auto& t) {
        return number(t.vcpus / t.cores);
    };
    getters["vcpu-info.valid-threads-per-core"] = [](const auto& t) {
        return number(t.vcpus / t.cores);
    };
    getters["memory-info.size-in-mib"] = [](const auto& t) { return number(t.memory_mib); };
}

// 43 Mbit/s are 5.375 MB/s.
std::string megabytes(std::uint32_t mbps) {
    return fmt::format("{}", mbps / 8.0);
}

void add_ebs_link(Getters& getters) {
    const std::string prefix = "ebs-info.ebs-optimized-info.";
    const auto link = [&](const char* name, auto value_of) {
        getters[prefix + name] = [value_of](const InstanceType& type) {
            return type.ebs.maximum_mbps == 0 ? Values{} : Values{value_of(type.ebs)};
        };
    };
    link("baseline-bandwidth-in-mbps",
         [](const EbsLink& ebs) { return std::to_string(ebs.baseline_mbps); });
    link("baseline-throughput-in-mbps",
         [](const EbsLink& ebs) { return megabytes(ebs.baseline_mbps); });
    link("baseline-iops", [](const EbsLink& ebs) { return std::to_string(ebs.baseline_iops); });
    link("maximum-bandwidth-in-mbps",
         [](const EbsLink& ebs) { return std::to_string(ebs.maximum_mbps); });
    link("maximum-throughput-in-mbps",
         [](const EbsLink& ebs) { return megabytes(ebs.maximum_mbps); });
    link("maximum-iops", [](const EbsLink& ebs) { return std::to_string(ebs.maximum_iops); });
}

void add_disks(Getters& getters) {
    getters["ebs-info.ebs-optimized-support"] = [](const auto& t) {
        return listed(t.family->ebs_optimized);
    };
    getters["ebs-info.attachment-limit-type"] = [](const auto&) { return Values{"dedicated"}; };
    getters["ebs-info.maximum-ebs-attachments"] = [](const auto&) {
        return Values{std::to_string(kMaxDevices)};
    };
    getters["ebs-info.encryption-support"] = [](const auto&) { return Values{"unsupported"}; };
    getters["ebs-info.nvme-support"] = [](const auto& t) { return listed(t.family->ebs_nvme); };
    add_ebs_link(getters);
    const auto store = [&](const char* name, auto value_of) {
        getters[std::string("instance-storage-info.") + name] =
            [value_of](const InstanceType& type) {
                return type.instance_store_disks == 0 ? Values{} : Values{value_of(type)};
            };
    };
    getters["instance-storage-supported"] = [](const auto& t) {
        return boolean(t.instance_store_disks != 0);
    };
    store("disk.count", [](const auto& t) { return std::to_string(t.instance_store_disks); });
    store("disk.size-in-gb",
          [](const auto& t) { return std::to_string(t.instance_store_gb_each); });
    store("disk.type", [](const auto& t) { return std::string(t.family->disk_type); });
    store("encryption-support", [](const auto&) { return std::string("unsupported"); });
    store("nvme-support", [](const auto& t) { return std::string(t.family->disk_nvme); });
    store("total-size-in-gb", [](const auto& t) {
        return std::to_string(t.instance_store_disks * t.instance_store_gb_each);
    });
}

void add_network(Getters& getters) {
    const auto network = [&](const char* name, auto values_of) {
        getters[std::string("network-info.") + name] = values_of;
    };
    network("bandwidth-weightings", [](const InstanceType&) { return Values{}; });
    network("flexible-ena-queues-support",
            [](const InstanceType&) { return Values{"unsupported"}; });
    network("network-performance",
            [](const InstanceType& t) { return Values{std::string(t.network_performance)}; });
    network("maximum-network-interfaces",
            [](const InstanceType& t) { return number(t.interfaces); });
    network("maximum-network-cards", [](const InstanceType&) { return number(1); });
    network("ipv4-addresses-per-interface",
            [](const InstanceType& t) { return number(t.addresses_per_interface); });
    network("ipv6-addresses-per-interface", [](const InstanceType&) { return number(0); });
    network("ipv6-supported", [](const InstanceType&) { return boolean(false); });
    network("ena-support", [](const InstanceType& t) { return listed(t.family->ena); });
    network("efa-supported", [](const InstanceType&) { return boolean(false); });
    network("efa-info.maximum-efa-interfaces", [](const InstanceType&) { return Values{}; });
    network("encryption-in-transit-supported", [](const InstanceType&) { return boolean(false); });
}

FilterTable<InstanceType> make_table() {
    Getters getters;
    add_machine(getters);
    add_processor(getters);
    add_disks(getters);
    add_network(getters);
    static const std::vector<model::Tag> kNoTags;
    return FilterTable<InstanceType>(
        [](const InstanceType&) -> const std::vector<model::Tag>& { return kNoTags; },
        std::move(getters));
}

}  // namespace

const FilterTable<InstanceType>& instance_type_filters() {
    static const FilterTable<InstanceType> table = make_table();
    return table;
}

}  // namespace kiln::control
