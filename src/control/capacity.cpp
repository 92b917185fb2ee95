// SPDX-License-Identifier: Apache-2.0
#include "control/capacity.h"

#include <fmt/format.h>

namespace kiln::control {

std::uint64_t guest_memory_mib(const Settings& settings, const InstanceType& type) {
    return settings.guest_memory_cap_mib == 0
               ? type.memory_mib
               : std::min(type.memory_mib, settings.guest_memory_cap_mib);
}

Result<std::size_t> find_capacity(catalog::Transaction& tx, const Parts& parts,
                                  const InstanceType& type, std::size_t least, std::size_t wanted) {
    const auto host_mib = parts.hypervisor.host_memory_mib();
    if (!host_mib) {
        return wanted;
    }
    catalog::InstanceQuery live;
    live.states = {model::InstanceState::pending, model::InstanceState::running,
                   model::InstanceState::stopping, model::InstanceState::shutting_down};
    TRY_ASSIGN(const auto instances, tx.instances().list(live));
    std::uint64_t used_mib = 0;
    for (const model::Instance& instance : instances) {
        if (const InstanceType* known = find_instance_type(instance.instance_type)) {
            used_mib += guest_memory_mib(parts.settings, *known);
        }
    }
    const auto usable = static_cast<std::uint64_t>(static_cast<double>(*host_mib) *
                                                   parts.settings.memory_overcommit);
    const std::uint64_t free_mib = usable > used_mib ? usable - used_mib : 0;
    const std::uint64_t each = guest_memory_mib(parts.settings, type);
    const std::uint64_t fit = free_mib / each;
    if (fit < least) {  // RUN-1: none if fewer than MinCount
        return Error::api(
            Code::resource_exhausted, "InsufficientInstanceCapacity",
            fmt::format(
                "We currently do not have sufficient {} capacity: {} MiB of memory are free and "
                "each instance takes {} MiB.",
                type.name, free_mib, each));
    }
    return static_cast<std::size_t>(std::min<std::uint64_t>(fit, wanted));
}

}  // namespace kiln::control
