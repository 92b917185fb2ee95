// SPDX-License-Identifier: Apache-2.0
// The fields of every stored type: which are columns, which go into the document, which are links.
// docs/formats/catalog.md describes the tables.
//
// A column is what queries select or sort on (order as in the table's definition does not matter,
// names do). Names are the stored format: never change or reuse one. Whether a field is in the list
// twice or not at all, the round-trip test tells. Thread model: pure functions.
#pragma once

#include <string_view>

#include "catalog/detail/fields_identity.h"
#include "catalog/detail/fields_volumes.h"
#include "catalog/repository.h"

namespace kiln::catalog::detail {

template <class V, Is<model::StateReason> T>
void fields(V& v, T& x) {
    v.field("code", x.code);
    v.field("message", x.message);
}

template <class V, Is<model::ProductCode> T>
void fields(V& v, T& x) {
    v.field("id", x.id);
    v.field("type", x.type);
}

template <class V, Is<model::EbsBlockDevice> T>
void fields(V& v, T& x) {
    v.field("snapshot", x.snapshot_id);
    v.field("size_gib", x.volume_size_gib);
    v.field("type", x.volume_type);
    v.field("iops", x.iops);
    v.field("throughput_mibps", x.throughput_mibps);
    v.field("encrypted", x.encrypted);
    v.field("kms_key", x.kms_key_id);
    v.field("delete_on_termination", x.delete_on_termination);
    v.field("initialization_rate_mibps", x.initialization_rate_mibps);
}

template <class V, Is<model::FastRestore> T>
void fields(V& v, T& x) {
    v.field("account", x.account);
    v.field("zone", x.zone);
    v.field("begun", x.begun);
    v.field("ended", x.ended);
    v.field("credit_since", x.credit_since);
}

template <class V, Is<model::BlockDeviceMapping> T>
void fields(V& v, T& x) {
    v.field("device", x.device_name);
    v.field("ebs", x.ebs);
    v.field("virtual", x.virtual_name);
    v.field("no_device", x.no_device);
}

template <class V, Is<model::MetadataOptions> T>
void fields(V& v, T& x) {
    v.field("tokens_required", x.tokens_required);
    v.field("hop_limit", x.hop_limit);
    v.field("endpoint", x.endpoint_enabled);
    v.field("ipv6", x.ipv6_enabled);
    v.field("tags", x.instance_tags_enabled);
}

// Of the image: what it is made of and who may use it.
template <class V, Is<model::Image> T>
void image_machine(V& v, T& x) {
    v.field("architecture", x.architecture);
    v.field("type", x.type);
    v.field("virtualization", x.virtualization_type);
    v.field("platform", x.platform);
    v.field("platform_details", x.platform_details);
    v.field("usage_operation", x.usage_operation);
    v.field("root_device", x.root_device_name);
    v.field("root_device_type", x.root_device_type);
    v.field("mappings", x.block_device_mappings);
    v.field("kernel", x.kernel_id);
    v.field("ramdisk", x.ramdisk_id);
    v.field("ena", x.ena_support);
    v.field("sriov_simple", x.sriov_net_simple);
    v.field("boot_mode", x.boot_mode);
    v.field("tpm_v2", x.tpm_v2);
    v.field("imds_v2", x.imds_v2);
    v.field("uefi_data", x.uefi_data);
    v.field("product_codes", x.product_codes);
    v.field("supported_types", x.instance_types.supported);
    v.field("unsupported_types", x.instance_types.unsupported);
}

template <class V, Is<model::Image> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("name", x.name);
    v.column("state", x.state);
    v.column("everybody", x.launch_permissions.everybody);
    v.column("created", x.created);
    v.field("launch_accounts", x.launch_permissions.accounts);
    v.field("launch_organizations", x.launch_permissions.organizations);
    v.field("description", x.description);
    v.field("location", x.location);
    v.field("state_reason", x.state_reason);
    v.field("owner_alias", x.owner_alias);
    v.field("last_launched", x.last_launched);
    v.field("deprecation", x.deprecation_time);
    v.field("deregistration_protection", x.deregistration_protection);
    v.field("cooldown_until", x.cooldown_until);
    v.field("source_instance", x.source_instance_id);
    v.field("source_image", x.source_image_id);
    v.field("source_image_region", x.source_image_region);
    v.field("public_parameter", x.public_parameter);
    v.field("fast_launches", x.fast_launches);
    image_machine(v, x);
    if constexpr (V::kWrites) {
        for (const auto& mapping : x.block_device_mappings) {
            v.link("image.snapshot", mapping.ebs ? mapping.ebs->snapshot_id.str() : "");
        }
        for (const auto& account : x.launch_permissions.accounts) {
            v.link("image.launch_account", account.str());
        }
        for (const auto& arn : x.launch_permissions.organizations) {
            v.link("image.launch_organization", arn);
        }
        v.link("image.owner_alias", x.owner_alias);
    }
}

template <class V, Is<model::Snapshot> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("state", x.state);
    v.column("volume", x.volume_id);
    v.column("content", x.content);
    v.column("cut", x.set);
    v.column("created", x.created);
    v.field("state_message", x.state_message);
    v.field("progress", x.progress_percent);
    v.field("description", x.description);
    v.field("owner_alias", x.owner_alias);
    v.field("volume_size_gib", x.volume_size_gib);
    v.field("encrypted", x.encrypted);
    v.field("kms_key", x.kms_key_id);
    v.field("completed", x.completed);
    v.field("full_size", x.full_size_bytes);
    v.field("lineage", x.lineage);
    v.field("volume_everybody", x.volume_permissions.everybody);
    v.field("volume_accounts", x.volume_permissions.accounts);
    v.field("transfer", x.transfer_type);
    v.field("completion_minutes", x.completion_minutes);
    v.field("local_zone", x.local_zone);
    v.field("fast_restores", x.fast_restores);
    v.field("source_image", x.source_image);
    if constexpr (V::kWrites) {
        for (const auto& account : x.volume_permissions.accounts) {
            v.link("snapshot.volume_account", account.str());
        }
        v.link("snapshot.volume_group", x.volume_permissions.everybody ? "all" : "");
    }
}

// Of the instance: what it was launched as.
template <class V, Is<model::Instance> T>
void instance_machine(V& v, T& x) {
    v.field("type", x.instance_type);
    v.field("architecture", x.architecture);
    v.field("virtualization", x.virtualization_type);
    v.field("platform", x.platform);
    v.field("platform_details", x.platform_details);
    v.field("usage_operation", x.usage_operation);
    v.field("root_device", x.root_device_name);
    v.field("root_device_type", x.root_device_type);
    v.field("launch_mappings", x.launch_mappings);
    v.field("kernel", x.kernel_id);
    v.field("ramdisk", x.ramdisk_id);
    v.field("ena", x.ena_support);
    v.field("sriov_simple", x.sriov_net_simple);
    v.field("ebs_optimized", x.ebs_optimized);
    v.field("boot_mode", x.boot_mode);
    v.field("current_boot_mode", x.current_boot_mode);
    v.field("tpm_v2", x.tpm_v2);
    v.field("disk_transport", x.disk_transport);
    v.field("product_codes", x.product_codes);
    v.field("key_name", x.key_name);
    v.field("public_key", x.public_key);
    v.field("user_data", x.user_data);
}

template <class V, Is<model::Instance> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("reservation", x.reservation_id);
    v.column("state", x.state);
    v.column("image", x.image_id);
    v.column("subnet", x.subnet_id);
    v.column("private_ip", x.private_ip);
    v.column("terminated", x.terminated);
    v.column("created", x.created);
    v.field("zone", x.availability_zone);
    v.field("outpost", x.outpost_arn);
    v.field("launch_index", x.launch_index);
    v.field("client_token", x.client_token);
    v.field("state_reason", x.state_reason);
    v.field("transition_reason", x.state_transition_reason);
    v.field("launched", x.launched);
    v.field("profile", x.profile);
    v.field("profile_association", x.profile_association);
    v.field("detailed_monitoring", x.detailed_monitoring);
    v.field("cpu_credits", x.cpu_credits);
    v.field("capacity_preference", x.capacity_preference);
    v.field("metadata", x.metadata_options);
    v.field("shutdown", x.shutdown_behavior);
    v.field("protect_terminate", x.disable_api_termination);
    v.field("protect_stop", x.disable_api_stop);
    v.field("forced_off", x.forced_off);
    v.field("vpc", x.vpc_id);
    v.field("interface", x.network_interface_id);
    v.field("groups", x.security_groups);
    v.field("mac", x.mac);
    v.field("public_ip", x.public_ip);
    v.field("no_public_ip", x.no_public_ip);
    v.field("source_dest_check", x.source_dest_check);
    v.field("interface_description", x.interface_description);
    instance_machine(v, x);
}

template <class V, Is<model::Vpc> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("is_default", x.is_default);
    v.column("created", x.created);
    v.field("cidr", x.cidr);
    v.field("dns_support", x.dns_support);
    v.field("dns_hostnames", x.dns_hostnames);
    v.field("zones_without_subnet", x.zones_without_subnet);
}

template <class V, Is<model::Subnet> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("vpc", x.vpc_id);
    v.column("cidr", x.cidr);
    v.column("created", x.created);
    v.field("zone", x.availability_zone);
    v.field("zone_id", x.availability_zone_id);
    v.field("outpost", x.outpost_arn);
    v.field("default_for_zone", x.default_for_zone);
    v.field("map_public_ip", x.map_public_ip);
}

template <class V, Is<model::SecurityGroupRule> T>
void fields(V& v, T& x) {
    v.field("id", x.id);
    v.field("egress", x.egress);
    v.field("protocol", x.protocol);
    v.field("from", x.from_port);
    v.field("to", x.to_port);
    v.field("ipv4", x.cidr_ipv4);
    v.field("ipv6", x.cidr_ipv6);
    v.field("group", x.referenced_group);
    v.field("description", x.description);
}

template <class V, Is<model::SecurityGroup> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("vpc", x.vpc_id);
    v.column("name", x.name);
    v.column("created", x.created);
    v.field("description", x.description);
    v.field("rules", x.rules);
}

template <class V, Is<model::Content> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("state", x.state);
    v.column("parent", x.parent);
    v.column("layer", x.layer);
    v.column("created", x.created);
    v.field("root", x.root_digest);
    v.field("key", x.key_id);
    v.field("size", x.size_bytes);
    v.field("spares", x.spares);
    if constexpr (V::kWrites) {
        for (const auto& layer : x.spares) {
            v.link("content.spare", layer.str());
        }
    }
}

template <class V, Is<model::LayerRecord> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("state", x.state);
    v.column("created", x.created);
    v.field("size", x.size_bytes);
    v.field("key_algorithm", x.key_algorithm);
    v.field("key_record", x.key_record_id);
    v.field("key_check", x.key_check_value);
}

template <class V, Is<model::IdempotencyToken> T>
void fields(V& v, T& x) {
    v.derived("id", x.id());
    v.column("account", x.account);
    v.column("scope", x.scope);
    v.column("action", x.action);
    v.column("token", x.token);
    v.column("result", x.result);
    v.column("created", x.created);
    v.field("request", x.request_hash);
}

template <class V, Is<model::Job> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("kind", x.kind);
    v.column("subject", x.subject);
    v.column("not_before", x.not_before);
    v.column("lease_owner", x.lease_owner);
    v.column("lease_until", x.lease_until);
    v.column("lease_epoch", x.lease_epoch);
    v.column("woken", x.woken);
    v.column("created", x.created);
    v.field("step", x.step);
    v.field("payload", x.payload);
    v.field("attempts", x.attempts);
    v.field("last_error", x.last_error);
}

// The table of each kind of row; fields_identity.h and fields_volumes.h begin the list.
template <>
inline constexpr std::string_view kTable<model::Account> = "accounts";
template <>
inline constexpr std::string_view kTable<model::AccessKey> = "access_keys";
template <>
inline constexpr std::string_view kTable<model::Image> = "images";
template <>
inline constexpr std::string_view kTable<model::Snapshot> = "snapshots";
template <>
inline constexpr std::string_view kTable<model::Instance> = "instances";
template <>
inline constexpr std::string_view kTable<model::KeyPair> = "key_pairs";
template <>
inline constexpr std::string_view kTable<model::LaunchTemplate> = "launch_templates";
template <>
inline constexpr std::string_view kTable<model::LaunchTemplateVersion> = "launch_template_versions";
template <>
inline constexpr std::string_view kTable<model::Role> = "roles";
template <>
inline constexpr std::string_view kTable<model::InstanceProfile> = "instance_profiles";
template <>
inline constexpr std::string_view kTable<model::RegionSettings> = "region_settings";
template <>
inline constexpr std::string_view kTable<model::Vpc> = "vpcs";
template <>
inline constexpr std::string_view kTable<model::Subnet> = "subnets";
template <>
inline constexpr std::string_view kTable<model::SecurityGroup> = "security_groups";
template <>
inline constexpr std::string_view kTable<model::Content> = "contents";
template <>
inline constexpr std::string_view kTable<model::LayerRecord> = "layers";
template <>
inline constexpr std::string_view kTable<model::IdempotencyToken> = "tokens";
template <>
inline constexpr std::string_view kTable<model::Job> = "jobs";

}  // namespace kiln::catalog::detail
