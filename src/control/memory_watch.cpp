// SPDX-License-Identifier: Apache-2.0
#include "control/memory_watch.h"

#include <fmt/format.h>

#include "control/capacity.h"
#include "util/log.h"

namespace kiln::control {
void MemoryWatch::look() {
    const auto memory = hypervisor_.host_memory();
    const std::size_t machines = hypervisor_.machines().size();
    if (!memory) {
        return;
    }
    const std::uint64_t available = memory->available_mib;
    // Twice as much before it is over, so that it is not said again and again.
    const bool low = machines != 0 && available < (low_ ? 2 * kHostKeepsMib : kHostKeepsMib);
    if (low == low_.exchange(low)) {
        return;
    }
    const std::string limit =
        memory->group_limit_mib
            ? fmt::format(" below the control group's limit of {} MiB", *memory->group_limit_mib)
            : "";
    if (low) {
        log_warn("memory",
                 fmt::format("only {} MiB are available{} and {} machine(s) run: if it runs out "
                             "the kernel ends one of them. Stop or terminate instances, or end "
                             "other programs",
                             available, limit, machines));
    } else {
        log_info("memory", fmt::format("{} MiB are available{} again", available, limit));
    }
}

}  // namespace kiln::control
