// SPDX-License-Identifier: Apache-2.0
#include "api/ec2/filter_names.h"

#include <map>

#include "control/fast_launches.h"
#include "control/fast_restores.h"
#include "control/image_relations.h"
#include "control/image_usage.h"
#include "control/image_views.h"
#include "control/instance_settings.h"
#include "control/instance_status.h"
#include "control/instance_topology.h"
#include "control/instance_type_offers.h"
#include "control/instance_views.h"
#include "control/key_pairs.h"
#include "control/networks.h"
#include "control/profile_associations.h"
#include "control/replace_roots.h"
#include "control/resource_tags.h"
#include "control/security_groups.h"
#include "control/snapshot_views.h"
#include "control/template_lookup.h"
#include "control/volume_health.h"
#include "control/volume_modifications.h"
#include "control/volumes.h"
#include "control/vpc_parts.h"

namespace kiln::api {
namespace {

using Names = std::vector<std::string>;

template <const auto& (*table)()>
Names names_of() {
    return table().names();
}

const std::map<std::string_view, Names (*)()>& tables() {
    using namespace control;
    static const std::map<std::string_view, Names (*)()> tables = {
        {"DescribeAvailabilityZones", zone_filter_names},
        {"DescribeDhcpOptions", names_of<dhcp_options_filters>},
        {"DescribeFastLaunchImages", names_of<fast_launch_filters>},
        {"DescribeFastSnapshotRestores", names_of<fast_restore_filters>},
        {"DescribeIamInstanceProfileAssociations", names_of<association_filters>},
        {"DescribeImageUsageReportEntries", names_of<usage_entry_filters>},
        {"DescribeImageUsageReports", names_of<usage_report_filters>},
        {"DescribeImages", names_of<image_filters>},
        {"DescribeInstanceCreditSpecifications", names_of<credit_filters>},
        {"DescribeInstanceImageMetadata", names_of<instance_image_filters>},
        {"DescribeInstanceStatus", names_of<instance_status_filters>},
        {"DescribeInstanceTopology", names_of<instance_topology_filters>},
        {"DescribeInstanceTypeOfferings", names_of<type_offer_filters>},
        {"DescribeInstanceTypes", names_of<instance_type_filters>},
        {"DescribeInstances", names_of<instance_filters>},
        {"DescribeInternetGateways", names_of<internet_gateway_filters>},
        {"DescribeKeyPairs", names_of<key_pair_filters>},
        {"DescribeLaunchTemplateVersions", names_of<template_version_filters>},
        {"DescribeLaunchTemplates", names_of<template_filters>},
        {"DescribeNetworkAcls", names_of<network_acl_filters>},
        {"DescribeNetworkInterfaces", names_of<interface_filters>},
        {"DescribeRegions", region_filter_names},
        {"DescribeReplaceRootVolumeTasks", names_of<replace_root_filters>},
        {"DescribeRouteTables", names_of<route_table_filters>},
        {"DescribeSecurityGroupRules", names_of<security_group_rule_filters>},
        {"DescribeSecurityGroups", names_of<security_group_filters>},
        {"DescribeSnapshots", names_of<snapshot_filters>},
        {"DescribeSubnets", names_of<subnet_filters>},
        {"DescribeTags", tag_filter_names},
        {"DescribeVolumeStatus", names_of<volume_status_filters>},
        {"DescribeVolumes", names_of<volume_filters>},
        {"DescribeVolumesModifications", names_of<modification_filters>},
        {"DescribeVpcs", names_of<vpc_filters>},
    };
    return tables;
}

}  // namespace

std::vector<std::string> filter_names(std::string_view operation) {
    const auto found = tables().find(operation);
    return found == tables().end() ? Names() : found->second();
}

}  // namespace kiln::api
