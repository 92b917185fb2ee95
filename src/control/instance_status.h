// SPDX-License-Identifier: Apache-2.0
// InstanceStatuses: what DescribeInstanceStatus tells (INS-7), and the console (CON-1). The status
// is asked of the machine itself: it is `ok` only when the machine says that it runs. Thread-safe,
// blocking.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compute/console.h"
#include "control/caller.h"
#include "control/filter.h"
#include "control/instance_worker.h"
#include "control/pagination.h"
#include "control/parts.h"

namespace kiln::control {

enum class Reachability { passed, failed, initializing, insufficient_data, not_applicable };
constexpr auto enum_names(Reachability) {
    using model::EnumName;
    return std::to_array<EnumName<Reachability>>(
        {{Reachability::passed, "passed"},
         {Reachability::failed, "failed"},
         {Reachability::initializing, "initializing"},
         {Reachability::insufficient_data, "insufficient-data"},
         {Reachability::not_applicable, "not-applicable"}});
}
// The summary that belongs to it: ok, impaired, or the same word.
std::string_view summary_of(Reachability reachability);

struct InstanceStatusView {
    model::Instance instance;
    Reachability system = Reachability::not_applicable;   // the machine's process answers
    Reachability machine = Reachability::not_applicable;  // and its guest runs
    Reachability disks = Reachability::not_applicable;    // none of its volumes is stopped (VOL-14)
    std::string zone_id;                                  // empty: its zone has left the topology
    std::vector<model::Tag> tags;                         // for filters
};

struct DescribeStatusInput {
    std::vector<model::InstanceId> ids;
    bool all = false;  // not only running ones
    std::vector<Filter> filters;
    PageRequest page;
};

const FilterTable<InstanceStatusView>& instance_status_filters();

class InstanceStatuses {
  public:
    InstanceStatuses(const Parts& parts, const InstanceWorker& worker)
        : parts_(parts), worker_(worker) {}

    Result<Page<InstanceStatusView>> describe(const Caller& caller,
                                              const DescribeStatusInput& input);
    Result<compute::ConsoleOutput> console(const Caller& caller, const model::InstanceId& id);
    // CON-4: a JPEG.
    Result<std::string> screenshot(const Caller& caller, const model::InstanceId& id, bool wake,
                                   bool dry_run);
    // The same log from an offset on, for who follows it.
    Result<compute::ConsolePiece> console_from(const Caller& caller, const model::InstanceId& id,
                                               std::uint64_t from);

  private:
    // The instances a disk of which is away; none when the engine does not say.
    using CutOff = std::optional<std::set<model::InstanceId>>;
    InstanceStatusView ask(model::Instance instance, const CutOff& cut_off);

    const Parts parts_;
    const InstanceWorker& worker_;
};

}  // namespace kiln::control
