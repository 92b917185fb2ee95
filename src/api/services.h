// SPDX-License-Identifier: Apache-2.0
// Services: the use cases the doors of the API call.
// Thread model: references to thread-safe objects that outlive the doors.
#pragma once

#include "control/accounts.h"
#include "control/authorization_messages.h"
#include "control/backups.h"
#include "control/create_image.h"
#include "control/disk_diffs.h"
#include "control/disk_exports.h"
#include "control/fast_launches.h"
#include "control/fast_restores.h"
#include "control/gc.h"
#include "control/image_copies.h"
#include "control/image_relations.h"
#include "control/image_usage.h"
#include "control/images.h"
#include "control/imports.h"
#include "control/inspector.h"
#include "control/instance_attributes.h"
#include "control/instance_power.h"
#include "control/instance_profiles.h"
#include "control/instance_settings.h"
#include "control/instance_status.h"
#include "control/instance_topology.h"
#include "control/instances.h"
#include "control/interface_attributes.h"
#include "control/key_pairs.h"
#include "control/launch_templates.h"
#include "control/network_changes.h"
#include "control/networks.h"
#include "control/profile_associations.h"
#include "control/provided_images.h"
#include "control/public_parameters.h"
#include "control/region_settings.h"
#include "control/replace_roots.h"
#include "control/resource_lookup.h"
#include "control/resource_tags.h"
#include "control/roles.h"
#include "control/security_groups.h"
#include "control/sessions.h"
#include "control/snapshot_blocks.h"
#include "control/snapshot_copies.h"
#include "control/snapshot_sharing.h"
#include "control/snapshot_uploads.h"
#include "control/snapshots.h"
#include "control/stored_parameters.h"
#include "control/temporary_keys.h"
#include "control/topology.h"
#include "control/users.h"
#include "control/verifications.h"
#include "control/volume_copies.h"
#include "control/volume_health.h"
#include "control/volume_modifications.h"
#include "control/volumes.h"
#include "control/vpc_parts.h"
#include "control/zones.h"

namespace kiln::api {

struct Services {
    control::Accounts& accounts;
    control::Images& images;
    control::CreateImages& create_images;
    control::ImageCopies& image_copies;
    control::Instances& instances;
    control::InstancePower& power;
    control::InstanceAttributes& attributes;
    control::InstanceStatuses& statuses;
    control::InstanceSettings& instance_settings;
    control::InstanceTopologies& instance_topologies;
    control::ProfileAssociations& profile_associations;
    control::ReplaceRoots& replace_roots;
    control::Volumes& volumes;
    control::VolumeModifications& modifications;
    control::VolumeHealth& volume_health;
    control::VolumeCopies& volume_copies;
    control::Imports& imports;
    control::DiskExports& exports;
    control::Inspector& inspector;
    control::Networks& networks;
    control::NetworkChanges& network_changes;
    control::VpcParts& vpc_parts;
    control::InterfaceAttributes& interface_attributes;
    control::SecurityGroups& security_groups;
    const control::Topology& topology;
    control::Zones& zones;
    control::ResourceTags& tags;
    control::KeyPairs& key_pairs;
    control::LaunchTemplates& templates;
    control::Snapshots& snapshots;
    control::SnapshotSharing& snapshot_sharing;
    control::FastRestores& fast_restores;
    control::FastLaunches& fast_launches;
    control::SnapshotCopies& snapshot_copies;
    control::RegionChoices& region_choices;
    control::Gc& gc;
    control::PublicParameters& parameters;
    control::ProvidedImages& provided;
    control::Sessions& sessions;
    control::Roles& roles;
    control::InstanceProfiles& profiles;
    control::Backups& backups;
    control::Verifications& verifications;
    control::DiskDiffs& diffs;
    control::SnapshotBlocks& blocks;
    control::SnapshotUploads& uploads;
    control::ImageRelations& image_relations;
    control::ImageUsage& image_usage;
    control::TemporaryKeys& temporary_keys;
    control::Users& users;
    control::StoredParameters& stored_parameters;
    control::ResourceLookup& resource_lookup;
    const control::AuthorizationMessages& authorization_messages;
};

}  // namespace kiln::api
