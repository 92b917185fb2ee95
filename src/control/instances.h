// SPDX-License-Identifier: Apache-2.0
// Instances: launching, describing and terminating. A request checks everything, writes rows and a
// job in one transaction, and returns; InstanceWorker does what the rows say. Thread-safe,
// blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/instance_networks.h"
#include "control/instance_profiles.h"
#include "control/instance_types.h"
#include "control/instance_views.h"
#include "control/launch_network.h"
#include "control/metadata_options.h"
#include "control/pagination.h"
#include "control/parts.h"
#include "control/tagging.h"

namespace kiln::control {

// The launch template a launch's parameters came from, and which version of it.
struct LaunchTemplateUse {
    model::LaunchTemplateId id;  // empty: none
    std::int64_t version = 0;
    // Types of resources ("image") that the request itself says, whatever the template does.
    std::vector<std::string> overridden{};
};

// Where a client token counts (IDM-6), by what the request itself says. A template's word does not
// count: its next version may have another, and a repeated request must find what the first made.
struct TokenPlace {
    std::string availability_zone;
    model::SubnetId subnet;
};

struct RunInstancesInput {
    model::ImageId image_id;
    std::string instance_type;  // empty: the default type (RUN-2)
    std::int64_t min_count = 0;
    std::int64_t max_count = 0;
    std::string availability_zone;  // name or id; empty: the region's first, or the subnet's
    LaunchNetworkInput network;
    model::BlockDeviceMappings block_device_mappings;
    model::ShutdownBehavior shutdown_behavior = model::ShutdownBehavior::stop;
    bool disable_api_termination = false;
    bool disable_api_stop = false;
    bool ebs_optimized = false;
    bool detailed_monitoring = false;
    std::optional<model::CpuCredits> cpu_credits;
    model::CapacityPreference capacity_preference = model::CapacityPreference::open;
    std::string key_name;  // empty: none
    InstanceProfileSpec profile;
    Bytes user_data;
    MetadataOptionsInput metadata_options;
    std::vector<TagSpecification> tags;
    LaunchTemplateUse launch_template;
    std::string client_token;
    TokenPlace token_place;
    std::string request_hash;  // of the other parameters (IDM-2)
    bool prepares = false;     // FLN-3: its root is of the image alone, whatever is prepared
    bool dry_run = false;
};

struct DescribeInstancesInput {
    std::vector<model::InstanceId> ids;
    std::vector<Filter> filters;
    PageRequest page;
};

struct ReservationPage {
    std::vector<ReservationView> reservations;
    std::string next_token;
};

struct StateChange {
    model::InstanceId id;
    model::InstanceState previous;
    model::InstanceState current;
};

struct TerminateInput {
    std::vector<model::InstanceId> ids;
    bool force = false;             // STP-1, TRM-2
    bool skip_os_shutdown = false;  // STP-1, TRM-2
    bool dry_run = false;
};

class Instances {
  public:
    // `work_added` is called after a transaction that queued a job.
    Instances(const Parts& parts, InstanceNetworks& networks, std::function<void()> work_added)
        : parts_(parts), networks_(networks), work_added_(std::move(work_added)) {}

    Result<ReservationView> run(const Caller& caller, const RunInstancesInput& input);
    // What a request with this token and hash launched before; nothing if it is new. Of `input`
    // nothing else is looked at.
    Result<std::optional<ReservationView>> find_launched(const Caller& caller,
                                                         const RunInstancesInput& input);
    Result<ReservationPage> describe(const Caller& caller, const DescribeInstancesInput& input);
    Result<std::vector<StateChange>> terminate(const Caller& caller, const TerminateInput& input);
    Result<model::MetadataOptions> modify_metadata_options(const Caller& caller,
                                                           const ModifyMetadataOptionsInput& input);

  private:
    const Parts parts_;
    InstanceNetworks& networks_;
    const std::function<void()> work_added_;
};

// Every id must be an instance of the caller in this region; each once, in the order given (IDL-2,
// IDL-3).
Result<std::vector<model::Instance>> find_instances(catalog::Transaction& tx, const Caller& caller,
                                                    const std::vector<model::InstanceId>& ids);

// One that runs, else IncorrectInstanceState.
Result<model::Instance> find_running_instance(catalog::Transaction& tx, const Caller& caller,
                                              const model::InstanceId& id);

// INS-3: "User initiated (2025-06-01 12:00:00 GMT)".
std::string user_initiated(UnixMillis now);

}  // namespace kiln::control
