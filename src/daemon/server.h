// SPDX-License-Identifier: Apache-2.0
// Server: the parts of a running service, made in the order they need each other (D17) and ended in
// the reverse: lock, catalog, block engine, hypervisor, networks; then what a killed predecessor
// left (cuts, imports, layers, guests); then jobs; the API last. One owner thread.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "api/console/console_door.h"
#include "api/door.h"
#include "api/guest_api_door.h"
#include "api/health/health_door.h"
#include "api/metadata/metadata_door.h"
#include "catalog/store.h"
#include "compute/fake/fake_guest_networks.h"
#include "compute/fake/fake_hypervisor.h"
#include "control/authorization_messages.h"
#include "control/backups.h"
#include "control/content_store.h"
#include "control/content_worker.h"
#include "control/gc.h"
#include "control/imports.h"
#include "control/inspector.h"
#include "control/interface_attributes.h"
#include "control/job_runner.h"
#include "control/machine_watch.h"
#include "control/memory_watch.h"
#include "control/network_changes.h"
#include "control/networks.h"
#include "control/provided_images.h"
#include "control/public_parameters.h"
#include "control/scrub.h"
#include "control/security_groups.h"
#include "control/snapshots.h"
#include "control/space_watch.h"
#include "control/volume_copies.h"
#include "control/volume_health.h"
#include "control/volume_modifications.h"
#include "control/vpc_parts.h"
#include "daemon/command.h"
#include "daemon/options.h"
#include "net/http_server.h"
#include "util/executor.h"
#include "util/fs.h"

namespace kiln::daemon {

class Server {
  public:
    static Result<std::unique_ptr<Server>> start(const ServeOptions& options);
    ~Server();

    const std::string& url() const { return url_; }
    const std::string& data_directory() const { return data_; }
    bool first_start() const { return first_start_; }
    // The administrator's key and the service's first region.
    Result<CommandEnvironment> command_environment();
    // A URL that signs one browser in as the administrator; empty when no administrator has a key.
    std::string make_console_link();
    // Ends the API and the jobs; guests go on, except with --ephemeral.
    void stop();

  private:
    Server(ServeOptions options, control::Topology topology, const control::Limits& limits);
    Status open_storage();
    Status open_space();
    Status open_engine();
    Status open_hypervisor();
    Status open_networks();
    Status open_addresses();
    void make_use_cases();
    Status recover();
    Status drop_orphan_layers();
    Status open_api();
    Status is_ready();
    std::vector<api::Gauge> gauges();
    Status introduce();
    void start_providing();
    void end_guests();

    const ServeOptions options_;
    std::string data_;
    std::string url_;
    bool first_start_ = false;
    bool stopped_ = false;
    UniqueFd lock_;
    UniqueFd runtime_lock_;
    std::unique_ptr<io::Clock> clock_;
    std::unique_ptr<io::Rng> rng_;
    const control::Topology topology_;
    const control::Limits limits_;
    control::Settings settings_;
    std::unique_ptr<catalog::Store> store_;
    std::unique_ptr<Executor> lookups_;  // catalog reads for the block engine
    std::unique_ptr<Executor> index_;    // its chunk index
    std::unique_ptr<control::CatalogContents> contents_;
    std::unique_ptr<block::SpaceReserve> space_;
    std::unique_ptr<block::Engine> engine_;
    std::unique_ptr<Executor> events_;  // machine events
    std::unique_ptr<control::MachineWatch> watch_;
    std::unique_ptr<compute::FakeHost> fake_host_;
    std::unique_ptr<compute::Hypervisor> hypervisor_;
    std::unique_ptr<compute::FakeNetworkHost> fake_network_host_;
    std::unique_ptr<compute::GuestNetworks> guest_networks_;
    std::unique_ptr<compute::PublicAddresses> addresses_;
    std::unique_ptr<control::Sessions> sessions_;
    std::unique_ptr<control::Metadata> metadata_;
    std::unique_ptr<api::MetadataDoor> metadata_door_;
    std::unique_ptr<api::GuestApiDoor> guest_api_;
    std::unique_ptr<control::Parts> parts_;
    std::unique_ptr<control::InstanceNetworks> instance_networks_;
    std::unique_ptr<control::JobRunner> jobs_;
    std::unique_ptr<control::VolumeAccess> volumes_;
    std::unique_ptr<control::ContentWorker> content_worker_;
    std::unique_ptr<control::Cuts> cuts_;
    std::unique_ptr<control::Snapshots> snapshots_;
    std::unique_ptr<control::Backups> backups_;
    std::unique_ptr<control::Gc> gc_;
    std::unique_ptr<control::Scrub> scrub_;
    std::unique_ptr<control::InstanceWorker> worker_;
    std::unique_ptr<control::SpaceWatch> space_watch_;
    std::unique_ptr<control::MemoryWatch> memory_watch_;
    std::unique_ptr<control::Accounts> accounts_;
    std::unique_ptr<control::Images> images_;
    std::unique_ptr<control::ResourceTags> tags_;
    std::unique_ptr<control::Instances> instances_;
    std::unique_ptr<control::AttachmentWorker> attachments_;
    std::unique_ptr<control::VolumeModifications> modifications_;
    std::unique_ptr<control::VolumeHealth> volume_health_;
    std::unique_ptr<control::VolumeCopies> volume_copies_;
    std::unique_ptr<control::Volumes> volume_requests_;
    std::unique_ptr<control::CreateImages> create_images_;
    std::unique_ptr<control::ImageCopies> image_copies_;
    std::unique_ptr<control::SnapshotCopies> snapshot_copies_;
    std::unique_ptr<control::SnapshotSharing> snapshot_sharing_;
    std::unique_ptr<control::FastRestores> fast_restores_;
    std::unique_ptr<control::FastLaunches> fast_launches_;
    std::unique_ptr<control::RegionChoices> region_choices_;
    std::unique_ptr<control::Zones> zones_;
    std::unique_ptr<control::InstancePower> power_;
    std::unique_ptr<control::InstanceAttributes> attributes_;
    std::unique_ptr<control::InstanceStatuses> statuses_;
    std::unique_ptr<control::InstanceSettings> instance_settings_;
    std::unique_ptr<control::InstanceTopologies> instance_topologies_;
    std::unique_ptr<control::ProfileAssociations> profile_associations_;
    std::unique_ptr<control::ReplaceRoots> replace_roots_;
    std::unique_ptr<control::Imports> imports_;
    std::unique_ptr<control::DiskExports> exports_;
    std::unique_ptr<control::DiskDiffs> diffs_;
    std::unique_ptr<control::SnapshotBlocks> blocks_;
    std::unique_ptr<control::SnapshotUploads> uploads_;
    std::unique_ptr<control::Verifications> verifications_;
    std::unique_ptr<control::DiskInspections> disk_inspections_;
    std::unique_ptr<control::Inspector> inspector_;
    std::unique_ptr<control::KeyPairs> key_pairs_;
    std::unique_ptr<control::LaunchTemplates> templates_;
    std::unique_ptr<control::Roles> roles_;
    std::unique_ptr<control::InstanceProfiles> profiles_;
    std::unique_ptr<control::Users> users_;
    std::unique_ptr<control::TemporaryKeys> temporary_keys_;
    std::unique_ptr<control::StoredParameters> stored_parameters_;
    std::unique_ptr<control::ResourceLookup> resource_lookup_;
    std::unique_ptr<control::AuthorizationMessages> authorization_messages_;
    std::unique_ptr<control::ImageRelations> image_relations_;
    std::unique_ptr<control::ImageUsage> image_usage_;
    std::unique_ptr<control::Networks> networks_;
    std::unique_ptr<control::NetworkChanges> network_changes_;
    std::unique_ptr<control::VpcParts> vpc_parts_;
    std::unique_ptr<control::InterfaceAttributes> interface_attributes_;
    std::unique_ptr<control::SecurityGroups> security_groups_;
    api::Registry registry_;
    api::RequestMetrics metrics_;
    std::unique_ptr<api::HealthDoor> health_;
    std::unique_ptr<api::ConsoleLinks> console_links_;
    std::unique_ptr<api::ConsoleDoor> console_;
    std::unique_ptr<api::KilnApi> kiln_api_;
    std::unique_ptr<api::RequestThrottle> throttle_;
    std::unique_ptr<api::Door> door_;
    std::unique_ptr<Executor> requests_;
    std::unique_ptr<net::HttpServer> http_;
    std::unique_ptr<control::ProvidedImages> provided_;
    std::unique_ptr<control::PublicParameters> parameters_;
    std::atomic<bool> end_providing_{false};
    std::thread providing_;
};

}  // namespace kiln::daemon
