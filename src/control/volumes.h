// SPDX-License-Identifier: Apache-2.0
// Volumes: made, described, deleted, attached to instances and detached (section VOL). A request
// writes rows and, where a running machine must change, a job; AttachmentWorker does what the rows
// say. Thread-safe, blocking.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/filter.h"
#include "control/pagination.h"
#include "control/parts.h"
#include "control/tagging.h"
#include "control/volume_access.h"
#include "model/instance.h"
#include "model/volume.h"

namespace kiln::control {

struct CreateVolumeInput {
    std::string availability_zone;  // name or id
    std::string outpost_arn;        // or empty
    model::EbsBlockDevice ebs;      // its snapshot, size, type
    bool multi_attach = false;
    std::vector<TagSpecification> tags;
    std::string client_token;
    std::string request_hash;
    bool dry_run = false;
};

struct AttachInput {
    model::VolumeId volume;
    model::InstanceId instance;
    std::string device;
    bool dry_run = false;
};

struct DetachInput {
    model::VolumeId volume;
    model::InstanceId instance;  // may be empty, without Multi-Attach
    std::string device;          // may be empty
    bool force = false;
    bool dry_run = false;
};

struct VolumeView {
    model::Volume volume;
    std::vector<model::Tag> tags;
    std::string zone_id;  // empty: its zone has left the topology
};

struct DescribeVolumesInput {
    std::vector<model::VolumeId> ids;
    std::vector<Filter> filters;
    PageRequest page;
};

// Rows of the caller's volumes, for read_page().
Result<std::vector<model::Volume>> own_volumes(catalog::Transaction& tx, const Caller& caller,
                                               const PageStart& piece);
VolumeView view_of(const Topology& topology, model::Volume volume, std::vector<model::Tag> tags);
// The caller's volume, or InvalidVolume.NotFound.
Result<model::Volume> find_volume(catalog::Transaction& tx, const Caller& caller,
                                  const model::VolumeId& id);
// Whether an attachment as `device` may come to those that the volume has (VOL-4, VOL-11).
Status check_attachable(const model::Volume& volume, const model::Instance& instance,
                        const std::string& device);
// Each once, in the order of the ids (IDL-3).
Result<std::vector<model::Volume>> find_volumes(catalog::Transaction& tx, const Caller& caller,
                                                const std::vector<model::VolumeId>& ids);

class Volumes {
  public:
    Volumes(const Parts& parts, VolumeAccess& access, std::function<void()> work_added)
        : parts_(parts), access_(access), work_added_(std::move(work_added)) {}

    Result<VolumeView> create(const Caller& caller, const CreateVolumeInput& input);
    Result<Page<VolumeView>> describe(const Caller& caller, const DescribeVolumesInput& input);
    Status remove(const Caller& caller, const model::VolumeId& id, bool dry_run);
    // Both give the attachment as the response shows it.
    Result<model::VolumeAttachment> attach(const Caller& caller, const AttachInput& input);
    Result<model::VolumeAttachment> detach(const Caller& caller, const DetachInput& input);

  private:
    Result<model::VolumeAttachment> attach_in(catalog::Transaction& tx, const Caller& caller,
                                              const AttachInput& input);
    Result<model::VolumeAttachment> detach_in(catalog::Transaction& tx, const Caller& caller,
                                              const DetachInput& input);

    const Parts parts_;
    VolumeAccess& access_;
    const std::function<void()> work_added_;
};

// VOL-10.
const FilterTable<VolumeView>& volume_filters();

}  // namespace kiln::control
