// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/users.h"

#include <unistd.h>

#include "util/crc32c.h"
#include "util/fs.h"
#include "util/strings.h"

namespace kiln::compute {

UserPolicy choose_users(bool wanted) {
    if (!wanted) {
        return {false, "switched off"};
    }
    if (::geteuid() != 0) {
        return {false, "only root can start processes as other users"};
    }
    const auto map = read_file("/proc/self/uid_map");
    if (!map || !maps_instance_uids(*map)) {
        return {false, "this user namespace does not have the range of user ids"};
    }
    return {true, "running as root"};
}

uid_t instance_uid(const MachineId& id) {
    return kFirstInstanceUid + crc32c(as_bytes(id.str())) % kInstanceUidCount;
}

bool maps_instance_uids(std::string_view map) {
    for (const std::string_view line : split(map, '\n')) {
        std::vector<std::uint64_t> numbers;
        for (const std::string_view word : split(line, ' ')) {
            if (const auto number = parse_int<std::uint64_t>(word)) {
                numbers.push_back(*number);
            }
        }
        if (numbers.size() == 3 && numbers[0] <= kFirstInstanceUid &&
            numbers[2] >= kFirstInstanceUid - numbers[0] + kInstanceUidCount) {
            return true;
        }
    }
    return false;
}

}  // namespace kiln::compute
