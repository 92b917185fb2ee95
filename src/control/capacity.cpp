// SPDX-License-Identifier: Apache-2.0
#include "control/capacity.h"

#include <fmt/format.h>

#include <algorithm>

namespace kiln::control {

std::uint64_t guest_memory_mib(const Settings& settings, const InstanceType& type) {
    return settings.guest_memory_cap_mib == 0
               ? type.memory_mib
               : std::min(type.memory_mib, settings.guest_memory_cap_mib);
}

namespace {

struct Promised {
    std::uint64_t all_mib = 0;
    std::uint64_t starting_mib = 0;  // of that: to machines that have not taken it yet
};

Result<Promised> promised(catalog::Transaction& tx, const Settings& settings) {
    catalog::InstanceQuery live;
    live.states = model::states_with_machine();
    TRY_ASSIGN(const auto instances, tx.instances().list(live));
    Promised sum;
    for (const model::Instance& instance : instances) {
        if (const InstanceType* known = find_instance_type(instance.instance_type)) {
            const std::uint64_t mib = guest_memory_mib(settings, *known);
            sum.all_mib += mib;
            sum.starting_mib += instance.state == model::InstanceState::pending ? mib : 0;
        }
    }
    return sum;
}

std::uint64_t scaled(std::uint64_t mib, double factor) {
    return static_cast<std::uint64_t>(static_cast<double>(mib) * factor);
}

std::uint64_t less(std::uint64_t from, std::uint64_t what) {
    return from - std::min(from, what);
}

Error insufficient(const InstanceType& type, const std::string& why) {
    return Error::api(
        Code::resource_exhausted, "InsufficientInstanceCapacity",
        fmt::format("We currently do not have sufficient {} capacity: {}. Stop or terminate "
                    "instances, choose a smaller type, or start the service with "
                    "--guest-memory-cap MIB (guests get less) or a higher --memory-overcommit "
                    "(more is promised than there is).",
                    type.name, why));
}

std::string available_text(const compute::HostMemory& memory) {
    return memory.group_limit_mib
               ? fmt::format("{} MiB are left of the {} MiB its control group may use",
                             memory.available_mib, *memory.group_limit_mib)
               : fmt::format("{} MiB of the host's {} MiB are available", memory.available_mib,
                             memory.total_mib);
}

}  // namespace

Result<std::size_t> find_capacity(catalog::Transaction& tx, const Parts& parts,
                                  const InstanceType& type, std::size_t least, std::size_t wanted) {
    const auto memory = parts.hypervisor.host_memory();
    if (!memory) {
        return wanted;
    }
    TRY_ASSIGN(const Promised used, promised(tx, parts.settings));
    const double factor = parts.settings.memory_overcommit;
    const std::uint64_t each = guest_memory_mib(parts.settings, type);
    // What is configured, and what is there: others use the host's memory too.
    const std::uint64_t usable = less(scaled(memory->total_mib, factor), used.all_mib);
    const std::uint64_t there =
        less(scaled(less(memory->available_mib, kHostKeepsMib), factor), used.starting_mib);
    if (usable / each < least) {  // RUN-1: none if fewer than MinCount
        return insufficient(
            type, fmt::format("{} MiB of memory are free of the {} MiB that instances may have in "
                              "all, and each instance takes {} MiB",
                              usable, scaled(memory->total_mib, factor), each));
    }
    if (there / each < least) {
        return insufficient(
            type, fmt::format("{}, of which {} MiB stay free and {} MiB are promised to instances "
                              "that are starting, and each instance takes {} MiB",
                              available_text(*memory), kHostKeepsMib, used.starting_mib, each));
    }
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(std::min(usable, there) / each, wanted));
}

}  // namespace kiln::control
