// SPDX-License-Identifier: Apache-2.0
// Server: the use cases and the workers behind them, wired to each other.
#include "daemon/server.h"
#include "disks/reader.h"
#include "util/own_program.h"

namespace kiln::daemon {

void Server::make_use_cases() {
    parts_ = std::unique_ptr<control::Parts>(new control::Parts{
        *store_, *engine_, *hypervisor_, *clock_, *rng_, topology_, settings_, *space_});
    jobs_ = std::make_unique<control::JobRunner>(*store_, *clock_);
    const auto poke = [this] { jobs_->poke(); };
    volumes_ = std::make_unique<control::VolumeAccess>(
        *parts_, [this](const model::VolumeId& id) { content_worker_->volume_closed(id); });
    content_worker_ = std::make_unique<control::ContentWorker>(*parts_, *volumes_, poke);
    content_worker_->install(*jobs_);
    cuts_ = std::make_unique<control::Cuts>(*parts_, *volumes_, poke);
    snapshots_ = std::make_unique<control::Snapshots>(*parts_, *cuts_, poke);
    backups_ = std::make_unique<control::Backups>(*parts_, *cuts_, *snapshots_, data_);
    gc_ = std::make_unique<control::Gc>(*parts_, poke);
    gc_->install(*jobs_);
    scrub_ = std::make_unique<control::Scrub>(*parts_);
    scrub_->install(*jobs_);
    instance_networks_ = std::make_unique<control::InstanceNetworks>(
        *parts_, *guest_networks_, *metadata_door_, *guest_api_, *addresses_);
    worker_ =
        std::make_unique<control::InstanceWorker>(*parts_, *volumes_, *instance_networks_, poke);
    worker_->install(*jobs_);
    create_images_ = std::make_unique<control::CreateImages>(*parts_, *cuts_, *worker_, poke);
    create_images_->install(*jobs_);
    image_copies_ = std::make_unique<control::ImageCopies>(*parts_);
    snapshot_copies_ = std::make_unique<control::SnapshotCopies>(*parts_);
    snapshot_sharing_ = std::make_unique<control::SnapshotSharing>(*parts_);
    fast_restores_ = std::make_unique<control::FastRestores>(*parts_);
    region_choices_ = std::make_unique<control::RegionChoices>(*parts_);
    zones_ = std::make_unique<control::Zones>(*parts_);
    attachments_ = std::make_unique<control::AttachmentWorker>(*parts_, *volumes_, poke);
    attachments_->install(*jobs_);
    modifications_ = std::make_unique<control::VolumeModifications>(*parts_, *volumes_, poke);
    modifications_->install(*jobs_);
    volume_health_ = std::make_unique<control::VolumeHealth>(*parts_, *volumes_);
    volume_copies_ = std::make_unique<control::VolumeCopies>(*parts_, *cuts_, poke);
    volume_copies_->install(*jobs_);
    space_watch_ = std::make_unique<control::SpaceWatch>(*parts_);
    watch_->set_workers(*worker_, *attachments_, *space_watch_);
    memory_watch_ = std::make_unique<control::MemoryWatch>(*hypervisor_);
    accounts_ = std::make_unique<control::Accounts>(*store_, *clock_, *rng_);
    images_ = std::make_unique<control::Images>(*parts_, poke);
    tags_ = std::make_unique<control::ResourceTags>(*store_);
    instances_ = std::make_unique<control::Instances>(*parts_, *instance_networks_, poke);
    power_ = std::make_unique<control::InstancePower>(*parts_, poke);
    attributes_ = std::make_unique<control::InstanceAttributes>(*parts_, *instance_networks_);
    statuses_ = std::make_unique<control::InstanceStatuses>(*parts_, *worker_);
    instance_settings_ = std::make_unique<control::InstanceSettings>(*parts_, *worker_);
    instance_topologies_ = std::make_unique<control::InstanceTopologies>(*parts_);
    profile_associations_ = std::make_unique<control::ProfileAssociations>(*store_, *clock_, *rng_);
    replace_roots_ = std::make_unique<control::ReplaceRoots>(*parts_, *volumes_, *worker_, poke);
    replace_roots_->install(*jobs_);
    volume_requests_ = std::make_unique<control::Volumes>(*parts_, *volumes_, poke);
    imports_ = std::make_unique<control::Imports>(*parts_, poke);
    exports_ = std::make_unique<control::DiskExports>(*parts_, poke);
    diffs_ = std::make_unique<control::DiskDiffs>(*parts_, *exports_, poke);
    uploads_ = std::make_unique<control::SnapshotUploads>(*parts_, poke);
    uploads_->install(*jobs_);
    verifications_ = std::make_unique<control::Verifications>(*parts_, *volumes_, poke);
    provided_ = std::make_unique<control::ProvidedImages>(*parts_, *imports_);
    parameters_ = std::make_unique<control::PublicParameters>(*store_);
    networks_ = std::make_unique<control::Networks>(*parts_);
    network_changes_ = std::make_unique<control::NetworkChanges>(*parts_, *instance_networks_);
    vpc_parts_ = std::make_unique<control::VpcParts>(*parts_);
    interface_attributes_ =
        std::make_unique<control::InterfaceAttributes>(*parts_, *instance_networks_);
    security_groups_ = std::make_unique<control::SecurityGroups>(*parts_, *instance_networks_);
    roles_ = std::make_unique<control::Roles>(*store_, *clock_, *rng_);
    profiles_ = std::make_unique<control::InstanceProfiles>(*store_, *clock_, *rng_);
    users_ = std::make_unique<control::Users>(*store_, *clock_, *rng_);
    temporary_keys_ = std::make_unique<control::TemporaryKeys>(*store_, *sessions_);
    stored_parameters_ = std::make_unique<control::StoredParameters>(*store_, *clock_);
    resource_lookup_ = std::make_unique<control::ResourceLookup>(*store_);
    image_relations_ = std::make_unique<control::ImageRelations>(*store_, topology_);
    image_usage_ = std::make_unique<control::ImageUsage>(*store_, *clock_, *rng_);
    templates_ =
        std::make_unique<control::LaunchTemplates>(*store_, *clock_, *rng_, settings_.quotas);
    fast_launches_ =
        std::make_unique<control::FastLaunches>(*parts_, *cuts_, *snapshots_, *templates_, poke);
    fast_launches_->install(*jobs_);
    key_pairs_ = std::make_unique<control::KeyPairs>(*store_, *clock_, *rng_, settings_.quotas);
    // Without it file systems are not looked into, and all the rest is as ever.
    disk_inspections_ = std::make_unique<control::DiskInspections>(
        *exports_, own_program().value_or(std::string()));
    inspector_ = std::make_unique<control::Inspector>(*parts_, *volumes_, *instance_networks_,
                                                      *worker_, *space_watch_, *disk_inspections_);
}

}  // namespace kiln::daemon
