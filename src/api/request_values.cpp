// SPDX-License-Identifier: Apache-2.0
#include "api/request_values.h"

#include <algorithm>

namespace kiln::api {
namespace {

const MemberInfo* find_member(const StructInfo& info, std::string_view name) {
    const auto found = std::find_if(info.members.begin(), info.members.end(),
                                    [&](const MemberInfo& member) { return member.name == name; });
    return found == info.members.end() ? nullptr : &*found;
}

std::pair<std::string_view, std::string_view> cut(std::string_view place) {
    const auto dot = place.find('.');
    return dot == place.npos ? std::pair(place, std::string_view())
                             : std::pair(place.substr(0, dot), place.substr(dot + 1));
}

// Calls `use` with each struct or scalar that is there.
template <class Use>
void for_each_value(const TypeInfo& type, const void* value, const Use& use) {
    if (type.kind != Kind::list) {
        use(type, value);
        return;
    }
    for (std::size_t i = 0; i < type.list->size(value); ++i) {
        for_each_value(type.list->item, type.list->at(value, i), use);
    }
}

std::string text_of(Kind kind, const void* value) {
    switch (kind) {
        case Kind::string:
            return *static_cast<const std::string*>(value);
        case Kind::integer:
            return std::to_string(*static_cast<const std::int32_t*>(value));
        case Kind::long_:
            return std::to_string(*static_cast<const std::int64_t*>(value));
        case Kind::boolean:
            return *static_cast<const bool*>(value) ? "true" : "false";
        case Kind::double_:
        case Kind::timestamp:
        case Kind::blob:
        case Kind::structure:
        case Kind::list:
            break;
    }
    return {};
}

std::vector<model::Tag> tags_at(const StructInfo& info, const void* object) {
    std::vector<model::Tag> tags;
    const MemberInfo* member = find_member(info, "Tags");
    if (member == nullptr || presence(*member, object) != Presence::set) {
        return tags;
    }
    for_each_value(member->type, value_of(*member, object),
                   [&](const TypeInfo& type, const void* value) {
                       if (type.kind != Kind::structure) {
                           return;
                       }
                       const auto one = [&](std::string_view name) {
                           const auto found = request_values(*type.structure, value, name);
                           return found.empty() ? std::string() : found.front();
                       };
                       tags.push_back({one("Key"), one("Value")});
                   });
    return tags;
}

}  // namespace

std::vector<std::string> request_values(const StructInfo& info, const void* request,
                                        std::string_view place) {
    std::vector<std::string> texts;
    const auto [name, rest] = cut(place);
    const MemberInfo* member = find_member(info, name);
    if (member == nullptr || presence(*member, request) != Presence::set) {
        return texts;
    }
    const std::string_view below = rest;
    for_each_value(member->type, value_of(*member, request),
                   [&](const TypeInfo& type, const void* value) {
                       if (type.kind == Kind::structure) {
                           auto found = request_values(*type.structure, value, below);
                           texts.insert(texts.end(), found.begin(), found.end());
                       } else if (std::string text = text_of(type.kind, value); !text.empty()) {
                           texts.push_back(std::move(text));
                       }
                   });
    return texts;
}

bool has_place(const StructInfo& info, std::string_view place) {
    const auto [name, rest] = cut(place);
    const MemberInfo* member = find_member(info, name);
    if (member == nullptr) {
        return false;
    }
    TypeInfo type = member->type;
    while (type.kind == Kind::list) {
        type = type.list->item;
    }
    return type.kind == Kind::structure ? has_place(*type.structure, rest) : rest.empty();
}

std::vector<control::TagSpecification> request_tags(const StructInfo& info, const void* request) {
    std::vector<control::TagSpecification> specifications;
    if (auto tags = tags_at(info, request); !tags.empty()) {
        specifications.push_back({"", std::move(tags)});
    }
    const MemberInfo* member = find_member(info, "TagSpecifications");
    if (member == nullptr || presence(*member, request) != Presence::set) {
        return specifications;
    }
    for_each_value(member->type, value_of(*member, request),
                   [&](const TypeInfo& type, const void* value) {
                       const auto of = request_values(*type.structure, value, "ResourceType");
                       specifications.push_back(
                           {of.empty() ? "" : of.front(), tags_at(*type.structure, value)});
                   });
    return specifications;
}

}  // namespace kiln::api
