// SPDX-License-Identifier: Apache-2.0
#include "compute/host_memory.h"

#include <algorithm>
#include <vector>

#include "util/fs.h"
#include "util/strings.h"

namespace kiln::compute {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1U << 20;
// Deeper than any control group is nested.
constexpr int kMaxDepth = 64;

// The names of one version's files.
struct Layout {
    const char* limit;
    const char* used;
    const char* reclaimable;  // in memory.stat: given back before anybody suffers
};
constexpr Layout kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                              "total_inactive_file"};
constexpr Layout kVersion2 = {"memory.max", "memory.current", "inactive_file"};

struct Limit {
    std::uint64_t bytes = 0;
    std::uint64_t left = 0;
};

std::optional<std::uint64_t> read_number(const std::string& path) {
    const auto text = read_file(path);
    return text ? parse_int<std::uint64_t>(trim(*text)) : std::nullopt;
}

// Of a file of lines "NAME VALUE" or "NAME:   VALUE kB".
std::optional<std::uint64_t> find_value(const std::string& text, std::string_view name) {
    for (std::string_view line : split(text, '\n')) {
        if (!line.starts_with(name) || line.size() == name.size()) {
            continue;
        }
        line.remove_prefix(name.size());
        if (line.front() != ' ' && line.front() != ':') {
            continue;
        }
        line = trim(line.substr(1));
        return parse_int<std::uint64_t>(line.substr(0, line.find(' ')));
    }
    return std::nullopt;
}

std::optional<Limit> limit_of(const std::string& group, const Layout& layout) {
    const auto bytes = read_number(group + "/" + layout.limit);  // "max": none
    const auto used = read_number(group + "/" + layout.used);
    if (!bytes || !used) {
        return std::nullopt;
    }
    const auto stat = read_file(group + "/memory.stat");
    const std::uint64_t reclaimable = stat ? find_value(*stat, layout.reclaimable).value_or(0) : 0;
    const std::uint64_t held = *used - std::min(*used, reclaimable);
    return Limit{*bytes, *bytes - std::min(*bytes, held)};
}

// A group's limit holds for all below it, so the tightest one up to the top counts. Within a
// container the path may name groups that cannot be seen; then its top, "", is the container's own.
void look_up(const std::string& mount, std::string path, const Layout& layout,
             std::vector<Limit>& limits) {
    for (int depth = 0; depth < kMaxDepth; ++depth) {
        if (const auto limit = limit_of(mount + path, layout)) {
            limits.push_back(*limit);
        }
        const auto slash = path.rfind('/');
        if (path.empty() || slash == std::string::npos) {
            return;
        }
        path.resize(slash);
    }
}

// "4:memory:/path" of version 1, "0::/path" of version 2.
std::vector<Limit> group_limits(const std::string& root) {
    std::vector<Limit> limits;
    const auto text = read_file(root + "/proc/self/cgroup");
    if (!text) {
        return limits;
    }
    for (const std::string_view line : split(*text, '\n')) {
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos) {
            continue;
        }
        const auto controllers = split(line.substr(first + 1, second - first - 1), ',');
        std::string path(line.substr(second + 1));
        if (path == "/") {
            path.clear();
        }
        if (std::ranges::count(controllers, "memory") != 0) {
            look_up(root + "/sys/fs/cgroup/memory", path, kVersion1, limits);
        } else if (line.starts_with("0::")) {
            look_up(root + "/sys/fs/cgroup", path, kVersion2, limits);
        }
    }
    return limits;
}

}  // namespace

std::optional<HostMemory> read_host_memory(const std::string& root) {
    const auto text = read_file(root + "/proc/meminfo");
    const auto total = text ? find_value(*text, "MemTotal") : std::nullopt;
    const auto available = text ? find_value(*text, "MemAvailable") : std::nullopt;
    if (!total || !available) {
        return std::nullopt;
    }
    HostMemory memory{*total * kKiB / kMiB, *available * kKiB / kMiB, std::nullopt};
    for (const Limit& limit : group_limits(root)) {
        memory.total_mib = std::min(memory.total_mib, limit.bytes / kMiB);
        if (limit.left / kMiB < memory.available_mib) {
            memory.available_mib = limit.left / kMiB;
            memory.group_limit_mib = limit.bytes / kMiB;
        }
    }
    return memory;
}

}  // namespace kiln::compute
