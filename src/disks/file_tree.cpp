// SPDX-License-Identifier: Apache-2.0
#include "disks/file_tree.h"

#include <deque>

#include "util/strings.h"

namespace kiln::disks {
namespace {

constexpr std::size_t kMaxLinks = 16;
constexpr std::size_t kMaxNames = 128;  // on the way, links' targets included

Error not_there(const std::string& path) {
    return Error(Code::not_found, path + " is not there");
}

std::string joined(const std::vector<std::string>& names) {
    std::string path;
    for (const std::string& name : names) {
        path += "/" + name;
    }
    return path.empty() ? "/" : path;
}

void prepend(std::deque<std::string>& left, std::string_view path) {
    const auto names = split(path, '/');
    left.insert(left.begin(), names.begin(), names.end());
}

}  // namespace

Result<std::string> resolve(FileTree& tree, const std::string& path) {
    std::deque<std::string> left;
    prepend(left, path);
    std::vector<std::string> done;
    std::size_t links = 0;
    for (std::size_t steps = 0; !left.empty(); ++steps) {
        if (steps == kMaxNames) {
            return not_there(path);
        }
        const std::string name = std::move(left.front());
        left.pop_front();
        if (name.empty() || name == ".") {
            continue;
        }
        if (name == "..") {
            if (!done.empty()) {
                done.pop_back();
            }
            continue;
        }
        done.push_back(name);
        TRY_ASSIGN(const NodeKind kind, tree.kind(joined(done)));
        if (kind == NodeKind::none ||
            (kind != NodeKind::directory && kind != NodeKind::symlink && !left.empty())) {
            return not_there(path);
        }
        if (kind == NodeKind::symlink) {
            if (++links > kMaxLinks) {
                return not_there(path);
            }
            TRY_ASSIGN(const std::string target, tree.link_target(joined(done)));
            done.pop_back();
            if (target.starts_with('/')) {
                done.clear();
            }
            prepend(left, target);
        }
    }
    return joined(done);
}

}  // namespace kiln::disks
