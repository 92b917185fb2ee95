// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_tree.h"

#include "util/check.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

// network/interfaces/macs/<mac>/ipv4-associations/<address> below version and meta-data: 8.
constexpr std::size_t kMaxDepth = 16;

}  // namespace

MetadataTree::Node& MetadataTree::at(std::string_view path) {
    Node* node = &root_;
    for (const std::string_view name : split(path, '/')) {
        INVARIANT(!name.empty() && node->value.empty() && !node->make);
        node = &node->children[std::string(name)];
    }
    return *node;
}

void MetadataTree::put(std::string_view path, std::string value) {
    Node& node = at(path);
    INVARIANT(node.children.empty() && node.value.empty() && !node.make);
    node.value = std::move(value);
}

void MetadataTree::put_made(std::string_view path, std::function<std::string()> make) {
    put(path, "");
    at(path).make = std::move(make);
}

void MetadataTree::put_unless_empty(std::string_view path, const std::string& value) {
    if (!value.empty()) {
        put(path, value);
    }
}

void MetadataTree::show_as(std::string_view path, std::string line) {
    at(path).line = std::move(line);
}

std::optional<MetadataTree::Found> MetadataTree::find(std::span<const std::string> path) const {
    const Node* node = &root_;
    for (const std::string& name : path) {
        const auto child = node->children.find(name);
        if (child == node->children.end()) {
            return std::nullopt;
        }
        node = &child->second;
    }
    if (node == &root_ || !node->children.empty()) {
        return Found{listing(*node, node == &root_), false};
    }
    return Found{node->make ? node->make() : node->value, true};
}

// EC2 ends no line of the topmost listing with a slash.
std::string MetadataTree::listing(const Node& node, bool top) {
    std::string text;
    for (const auto& [name, child] : node.children) {
        text += text.empty() ? "" : "\n";
        if (!child.line.empty()) {
            text += child.line;
        } else {
            text += name;
            text += child.children.empty() || top ? "" : "/";
        }
    }
    return text;
}

Result<std::vector<std::string>> split_metadata_path(std::string_view path) {
    std::vector<std::string> names;
    for (const std::string_view part : split(path, '/')) {
        if (part.empty()) {
            continue;
        }
        if (names.size() == kMaxDepth) {
            return Error(Code::invalid_argument, "the path has too many parts");
        }
        TRY_ASSIGN(names.emplace_back(), percent_decode(part, false));
    }
    return names;
}

}  // namespace kiln::control
