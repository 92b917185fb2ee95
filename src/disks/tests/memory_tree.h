// SPDX-License-Identifier: Apache-2.0
// A file tree in memory: names of files with their content; a content that begins with "-> " makes
// a link. Directories are there by their files. Thread model: plain value.
#pragma once

#include <map>

#include "disks/file_tree.h"

namespace kiln::disks::testing {

class MemoryTree final : public FileTree {
  public:
    explicit MemoryTree(std::map<std::string, std::string> files) : files_(std::move(files)) {}

    Result<NodeKind> kind(const std::string& path) override {
        ++calls_;
        const auto found = files_.find(path);
        if (found != files_.end()) {
            return found->second.starts_with("-> ") ? NodeKind::symlink : NodeKind::file;
        }
        const auto below = files_.lower_bound(path + "/");
        return below != files_.end() && below->first.starts_with(path + "/") ? NodeKind::directory
                                                                             : NodeKind::none;
    }
    Result<std::string> read(const std::string& path, std::size_t limit) override {
        return files_.at(path).substr(0, limit);
    }
    Result<std::string> link_target(const std::string& path) override {
        return files_.at(path).substr(3);
    }
    std::size_t calls() const { return calls_; }

  private:
    const std::map<std::string, std::string> files_;
    std::size_t calls_ = 0;
};

}  // namespace kiln::disks::testing
