// SPDX-License-Identifier: Apache-2.0
// CreateImages: an image of an instance (CI-2 .. CI-16). The request checks everything and writes
// the image `pending`.
//
//   not running, or NoReboot   the volumes are cut while the request waits, at one instant; a job
//                              (image.settle) moves the image on when its snapshots are done
//   running                    a job (image.create) asks the guest to power off, cuts, and resets
//                              the machine, which goes on; the instance is `running` throughout
//
// A cut that does not come about ends the image `failed`, with the reason. Every step may be
// repeated after a crash. Thread-safe, blocking.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/cuts.h"
#include "control/image_plan.h"
#include "control/instance_worker.h"
#include "control/job_runner.h"
#include "control/parts.h"
#include "control/tagging.h"

namespace kiln::control {

inline constexpr char kSettleImageJob[] = "image.settle";
inline constexpr std::string_view kNotCut = "The volumes could not be cut at one instant.";

struct CreateImageInput {
    model::InstanceId instance_id;
    std::string snapshot_location;  // REG-5: local, regional, or empty
    std::string name;
    std::string description;
    std::optional<model::BootMode> boot_mode;  // CI-18: instead of the instance's
    bool no_reboot = false;
    model::BlockDeviceMappings block_device_mappings;
    std::vector<TagSpecification> tags;  // of the image and of its snapshots (CI-16)
    bool dry_run = false;
};

class CreateImages {
  public:
    CreateImages(const Parts& parts, Cuts& cuts, InstanceWorker& instances,
                 std::function<void()> work_added)
        : parts_(parts), cuts_(cuts), instances_(instances), work_added_(std::move(work_added)) {}

    void install(JobRunner& runner);
    Result<model::ImageId> create(const Caller& caller, const CreateImageInput& input);

  private:
    struct Checked {
        InstanceView instance;
        ImagePlan plan;
    };
    // CI-10: the instance's own UEFI variables, in EC2's form.
    using Variables = std::optional<std::string>;
    Result<Variables> variables_of(const model::Instance& instance) const;
    Result<Checked> check(catalog::Transaction& tx, const Caller& caller,
                          const CreateImageInput& input);
    Result<model::Image> insert(catalog::Transaction& tx, const Caller& caller,
                                const CreateImageInput& input, const Checked& checked);
    Result<model::ImageId> create_now(const Caller& caller, const CreateImageInput& input,
                                      const Checked& checked, const Variables& variables);
    Result<model::ImageId> create_after_shutdown(const Caller& caller,
                                                 const CreateImageInput& input);
    // Makes the snapshots' rows, and names them in the image's mapping; gives the image variables.
    Result<std::vector<model::Snapshot>> draft(catalog::Transaction& tx, const Caller& caller,
                                               model::Image& image,
                                               const std::vector<ImagePlan::Cut>& cuts,
                                               const std::string& location,
                                               const std::vector<model::Tag>& tags,
                                               const Variables& variables);

    Status turn(const model::Job& job);
    Status cut_and_go_on(const model::Job& job, const model::Image& image,
                         const model::Instance& instance);
    Status settle(const model::Job& job);
    Status fail_image(const model::ImageId& id, const std::string& code, const std::string& why);

    const Parts parts_;
    Cuts& cuts_;
    InstanceWorker& instances_;
    const std::function<void()> work_added_;
};

}  // namespace kiln::control
