// SPDX-License-Identifier: Apache-2.0
// DescribeInstanceTypes and DescribeInstanceTypeOfferings (TYP-1 .. TYP-3).
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/describe_instance_type_offerings.h"
#include "api/generated/ec2/describe_instance_types.h"
#include "control/api_errors.h"
#include "control/instance_type_offers.h"
#include "control/volume_plan.h"
#include "util/strings.h"

namespace kiln::api {
namespace {

using namespace ec2;

List<std::string> listed(std::string_view comma_separated) {
    List<std::string> list;
    for (const std::string_view part : split(comma_separated, ',')) {
        list.push_back(std::string(part));
    }
    return list;
}

std::int32_t narrow(std::uint32_t value) {
    return static_cast<std::int32_t>(value);
}

void fill_processor(const control::InstanceType& from, InstanceTypeInfo& to) {
    ProcessorInfo& processor = to.processor_info.emplace();
    processor.supported_architectures = listed(from.family->architectures);
    processor.sustained_clock_speed_in_ghz = from.clock_ghz;
    processor.manufacturer = std::string(from.family->manufacturer);
    VCpuInfo& cpus = to.v_cpu_info.emplace();
    cpus.default_v_cpus = narrow(from.vcpus);
    cpus.default_cores = narrow(from.cores);
    cpus.default_threads_per_core = narrow(from.vcpus / from.cores);
    cpus.valid_cores = {narrow(from.cores)};
    cpus.valid_threads_per_core = {narrow(from.vcpus / from.cores)};
    to.memory_info.emplace().size_in_mi_b = static_cast<std::int64_t>(from.memory_mib);
}

void fill_disks(const control::InstanceType& from, InstanceTypeInfo& to) {
    EbsInfo& ebs = to.ebs_info.emplace();
    ebs.ebs_optimized_support = std::string(from.family->ebs_optimized);
    ebs.encryption_support = "unsupported";
    ebs.nvme_support = std::string(from.family->ebs_nvme);
    ebs.maximum_ebs_attachments = static_cast<std::int32_t>(control::kMaxDevices);  // BDM-13
    ebs.attachment_limit_type = "dedicated";  // interfaces take no places of volumes
    if (from.ebs.maximum_mbps != 0) {
        EbsOptimizedInfo& link = ebs.ebs_optimized_info.emplace();
        link.baseline_bandwidth_in_mbps = narrow(from.ebs.baseline_mbps);
        link.baseline_throughput_in_m_bps = from.ebs.baseline_mbps / 8.0;
        link.baseline_iops = narrow(from.ebs.baseline_iops);
        link.maximum_bandwidth_in_mbps = narrow(from.ebs.maximum_mbps);
        link.maximum_throughput_in_m_bps = from.ebs.maximum_mbps / 8.0;
        link.maximum_iops = narrow(from.ebs.maximum_iops);
    }
    to.instance_storage_supported = from.instance_store_disks != 0;
    if (from.instance_store_disks != 0) {
        InstanceStorageInfo& store = to.instance_storage_info.emplace();
        const auto each = static_cast<std::int64_t>(from.instance_store_gb_each);
        store.total_size_in_gb = each * from.instance_store_disks;
        store.nvme_support = std::string(from.family->disk_nvme);
        store.encryption_support = "unsupported";
        DiskInfo& disk = store.disks.emplace_back();
        disk.count = narrow(from.instance_store_disks);
        disk.size_in_gb = each;
        disk.type = std::string(from.family->disk_type);
    }
}

void fill_network(const control::InstanceType& from, InstanceTypeInfo& to) {
    NetworkInfo& network = to.network_info.emplace();
    network.network_performance = std::string(from.network_performance);
    network.maximum_network_interfaces = narrow(from.interfaces);
    network.maximum_network_cards = 1;
    network.default_network_card_index = 0;
    NetworkCardInfo& card = network.network_cards.emplace_back();
    card.network_card_index = 0;
    card.network_performance = std::string(from.network_performance);
    card.maximum_network_interfaces = narrow(from.interfaces);
    network.ipv4_addresses_per_interface = narrow(from.addresses_per_interface);
    network.ipv6_addresses_per_interface = 0;
    network.ipv6_supported = false;
    network.ena_support = std::string(from.family->ena);
    network.efa_supported = false;
    network.encryption_in_transit_supported = false;
    network.ena_srd_supported = false;
    network.flexible_ena_queues_support = "unsupported";
}

InstanceTypeInfo from_type(const control::InstanceType& from) {
    InstanceTypeInfo to;
    to.instance_type = std::string(from.name);
    to.current_generation = from.family->current_generation;
    to.free_tier_eligible = from.free_tier;
    to.supported_usage_classes = {"on-demand"};
    to.supported_root_device_types = listed(from.family->root_device_types);
    to.supported_virtualization_types = listed(from.family->virtualization_types);
    to.bare_metal = false;
    to.hypervisor = std::string(from.family->hypervisor);
    fill_processor(from, to);
    fill_disks(from, to);
    fill_network(from, to);
    to.placement_group_info.emplace().supported_strategies = listed(from.family->placement);
    to.hibernation_supported = false;
    to.burstable_performance_supported = from.family->burstable;
    to.dedicated_hosts_supported = false;
    to.auto_recovery_supported = false;
    to.reboot_migration_support = "unsupported";
    to.supported_boot_modes = listed(from.family->boot_modes);
    to.nitro_enclaves_support = "unsupported";
    to.nitro_tpm_support = "unsupported";
    return to;
}

Result<DescribeInstanceTypesResult> describe_types(const Context& context,
                                                   const DescribeInstanceTypesRequest& request) {
    control::DescribeTypesInput input;
    input.names = request.instance_types.items();
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, control::describe_instance_types(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeInstanceTypesResult result;
    result.instance_types.give();
    for (const control::InstanceType* type : page.items) {
        result.instance_types.push_back(from_type(*type));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

Result<DescribeInstanceTypeOfferingsResult> describe_offers(
    const Services& services, const Context& context,
    const DescribeInstanceTypeOfferingsRequest& request) {
    control::DescribeOffersInput input;
    input.location_type = request.location_type.value_or("");
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const control::Region region, services.zones.region(context.caller));
    TRY_ASSIGN(const auto page, control::describe_type_offers(region, context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeInstanceTypeOfferingsResult result;
    result.instance_type_offerings.give();
    for (const control::TypeOffer& offer : page.items) {
        InstanceTypeOffering& out = result.instance_type_offerings.emplace_back();
        out.instance_type = offer.type;
        out.location_type = offer.location_type;
        out.location = offer.location;
    }
    set_token(result.next_token, page.next_token);
    return result;
}

}  // namespace

void add_instance_type_handlers(Registry& registry, Services services) {
    registry.add<ops::DescribeInstanceTypes>(
        [](Context& context, const auto& request) { return describe_types(context, request); });
    registry.add<ops::DescribeInstanceTypeOfferings>(
        [services](Context& context, const auto& request) {
            return describe_offers(services, context, request);
        });
}

}  // namespace kiln::api
