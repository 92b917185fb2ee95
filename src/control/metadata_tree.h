// SPDX-License-Identifier: Apache-2.0
// MetadataTree: what an instance sees under /<version>/ of its metadata service, as one trie from
// path to value. Listings and leaves are read from the same nodes, so they cannot disagree: a name
// that is listed can be read, and one that can be read is listed (IMDS-5, IMDS-12).
//
// One owner thread while it is built, then immutable.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "util/result.h"

namespace kiln::control {

class MetadataTree {
  public:
    struct Found {
        std::string text;  // the value, or the listing: one line per child, no newline at the end
        bool leaf = false;
    };

    // `path`: names joined by '/', none of them empty. A path is put once and is no directory.
    void put(std::string_view path, std::string value);
    // Without a value nothing is put: what does not apply to an instance is absent (IMDS-6).
    void put_unless_empty(std::string_view path, const std::string& value);
    // A value that is made each time it is read: one that costs more than the rest of the tree.
    void put_made(std::string_view path, std::function<std::string()> make);
    // The line by which the listing of its parent shows a directory, instead of "name/" (IMDS-7).
    void show_as(std::string_view path, std::string line);

    // Nothing for a path that does not exist; the listing of everything for an empty one.
    std::optional<Found> find(std::span<const std::string> path) const;

  private:
    struct Node {
        std::map<std::string, Node, std::less<>> children;  // none: a leaf
        std::string value;
        std::function<std::string()> make;  // instead of a value
        std::string line;
    };
    Node& at(std::string_view path);
    static std::string listing(const Node& node, bool top);

    Node root_;
};

// The names in a request's path: percent escapes undone, repeated and final slashes ignored.
// invalid_argument for a broken escape or more names than any tree is deep.
Result<std::vector<std::string>> split_metadata_path(std::string_view path);

}  // namespace kiln::control
