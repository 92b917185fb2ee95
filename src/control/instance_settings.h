// SPDX-License-Identifier: Apache-2.0
// InstanceSettings: what is set back, switched and looked at of single instances besides their
// attributes: ResetInstanceAttribute, monitoring (MON-1), the password and the UEFI variables that
// an instance has (BM-2), and its credits (CRD-1). Thread-safe, blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/filter.h"
#include "control/instance_worker.h"
#include "control/pagination.h"
#include "control/parts.h"
#include "model/instance.h"

namespace kiln::control {

enum class ResetAttribute { kernel, ramdisk, source_dest_check };

struct Monitored {
    model::InstanceId id;
    std::string state;  // enabled, disabled; pending, disabling: a request just asked for it
};

struct CreditView {
    model::Instance instance;
    model::CpuCredits credits = model::CpuCredits::standard;
};

const FilterTable<CreditView>& credit_filters();

struct DescribeCreditsInput {
    std::vector<model::InstanceId> ids;
    std::vector<Filter> filters;
    PageRequest page;
};

// What the instance was launched with, else what its type has (CRD-1).
model::CpuCredits credits_of(const model::Instance& instance);

class InstanceSettings {
  public:
    InstanceSettings(const Parts& parts, const InstanceWorker& worker)
        : parts_(parts), worker_(worker) {}

    Status reset(const Caller& caller, const model::InstanceId& id, ResetAttribute attribute,
                 bool dry_run);
    // Of all of them, or none.
    Result<std::vector<Monitored>> monitor(const Caller& caller,
                                           const std::vector<model::InstanceId>& ids, bool enable,
                                           bool dry_run);
    // PWD-1: nothing more than that there is the instance.
    Result<model::Instance> look(const Caller& caller, const model::InstanceId& id, bool dry_run);
    // BM-2: the variables that it has, in EC2's form. UnsupportedOperation without UEFI;
    // IncorrectInstanceState before its first start and after its end.
    Result<std::string> uefi_data(const Caller& caller, const model::InstanceId& id, bool dry_run);
    Result<Page<CreditView>> describe_credits(const Caller& caller,
                                              const DescribeCreditsInput& input);

  private:
    const Parts parts_;
    const InstanceWorker& worker_;
};

}  // namespace kiln::control
