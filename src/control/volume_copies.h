// SPDX-License-Identifier: Apache-2.0
// VolumeCopies: CopyVolumes (VOL-12). The source is cut, as for a snapshot, and the copy stands on
// the content that comes of it: no byte is copied, and nobody sees a snapshot, since its row begins
// as one that was deleted while it was pending (SNP-22), and goes with the end of the cut.
//
// The copy's row is written with the first transaction of the cut, `creating`. The job
// `volume.copy` makes it `available` when the content is sealed, also after a crash in between; one
// whose sealing failed ends in `error`. A cut that is taken back takes the copy with it.
//
// Thread-safe, blocking.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/cuts.h"
#include "control/job_runner.h"
#include "control/tagging.h"
#include "control/volumes.h"

namespace kiln::control {

inline constexpr char kCopyVolumeJob[] = "volume.copy";

struct CopyVolumeInput {
    model::VolumeId source;
    model::EbsBlockDevice ebs;  // size, type and performance; what is absent: as CreateVolume, and
                                // the size of the source
    bool multi_attach = false;
    std::vector<TagSpecification> tags;
    std::string client_token;
    std::string request_hash;
    bool dry_run = false;
};

class VolumeCopies {
  public:
    VolumeCopies(const Parts& parts, Cuts& cuts, std::function<void()> work_added)
        : parts_(parts), cuts_(cuts), work_added_(std::move(work_added)) {}

    void install(JobRunner& runner);
    Result<VolumeView> copy(const Caller& caller, const CopyVolumeInput& input);

  private:
    struct Plan {
        model::Volume source;
        model::EbsBlockDevice ebs;
    };
    Result<Plan> plan(catalog::Transaction& tx, const Caller& caller,
                      const CopyVolumeInput& input) const;
    Result<std::optional<VolumeView>> known(catalog::Transaction& tx, const Caller& caller,
                                            const CopyVolumeInput& input) const;
    Result<model::Volume> insert(catalog::Transaction& tx, const Caller& caller,
                                 const CopyVolumeInput& input, const Plan& plan,
                                 const model::ContentId& content) const;
    Status take_back(catalog::Transaction& tx, const Caller& caller, const CopyVolumeInput& input,
                     const model::VolumeId& id) const;
    Status settle(const model::Job& job);

    const Parts parts_;
    Cuts& cuts_;
    const std::function<void()> work_added_;
};

}  // namespace kiln::control
