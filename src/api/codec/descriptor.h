// SPDX-License-Identifier: Apache-2.0
// Descriptor tables: what the generator knows about each struct, as constant data. One query parser
// and one XML writer (and the test tools) interpret them; nothing else walks a struct by its
// description.
//
// A member's *slot* is the wrapper inside the struct (optional, Scalar, List); its *value* is what
// the slot holds when set. List items have no slot: they are values. Thread model: immutable data,
// pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "api/codec/value.h"

namespace kiln::api {

enum class Kind : std::uint8_t {
    string,
    integer,  // std::int32_t
    long_,    // std::int64_t
    double_,
    boolean,
    timestamp,  // UnixMillis
    blob,       // Bytes, base64 on the wire
    structure,
    list,
};

struct StructInfo;
struct ListInfo;

// The values a request may carry; a value equal but for the case of letters is taken as the one
// listed.
struct EnumInfo {
    std::string_view name;
    std::span<const std::string_view> values;
};

struct TypeInfo {
    Kind kind = Kind::string;
    const StructInfo* structure = nullptr;  // Kind::structure
    const ListInfo* list = nullptr;         // Kind::list
    const EnumInfo* values = nullptr;       // Kind::string with a closed set of values
};

// Where a member stands in a request or response; the REST protocols alone have more than a body.
enum class Location : std::uint8_t {
    body,
    label,  // of the path
    query,
    header,
    payload,  // it is the body
};

struct MemberInfo {
    std::string_view name;  // as in the published model: "BlockDeviceMappings"
    std::string_view query_name;
    std::string_view xml_name;
    TypeInfo type;
    std::size_t offset = 0;
    bool required = false;
    bool sensitive = false;              // never echoed or logged
    Location location = Location::body;  // under `query_name`, unless it is in the body
};

struct StructInfo {
    std::string_view name;
    std::span<const MemberInfo> members;
    // An operation's request or response with nothing given; null for other structs.
    std::shared_ptr<void> (*create)();
    // Of std::optional<Struct>; null where no struct has such a member. get() is null when absent.
    void* (*emplace)(void* slot);
    const void* (*get)(const void* slot);
};

struct ListInfo {
    std::string_view item_name;  // element name in XML; in the query protocol also `Name.member.1`
    TypeInfo item;
    void* (*append)(void* list);
    const void* (*at)(const void* list, std::size_t index);
    std::size_t (*size)(const void* list);
    bool (*given)(const void* list);
    void (*give)(void* list);
};

// How a value stands in a struct.
enum class Presence { absent, empty, set };
Presence presence(const MemberInfo& member, const void* object);
// The value of a member that is `set`. A list is its own value.
const void* value_of(const MemberInfo& member, const void* object);
inline void* value_of(const MemberInfo& member, void* object) {
    return const_cast<void*>(value_of(member, const_cast<const void*>(object)));
}
// Makes the member set and returns its value, default-constructed; a list becomes given.
void* make_value(const MemberInfo& member, void* object);
// Makes the member given with an empty value.
void make_empty(const MemberInfo& member, void* object);

const MemberInfo* find_by_query_name(const StructInfo& info, std::string_view query_name);

// Used by the generated tables. The roles of a struct decide which functions it needs: they take
// time to compile.
struct Roles {
    bool root = false;    // an operation's request or response
    bool member = false;  // held by another struct
};
template <class T, Roles kRoles>
constexpr StructInfo struct_info(std::string_view name, std::span<const MemberInfo> members) {
    StructInfo info{name, members, nullptr, nullptr, nullptr};
    if constexpr (kRoles.root) {
        info.create = []() -> std::shared_ptr<void> { return std::make_shared<T>(); };
    }
    if constexpr (kRoles.member) {
        info.emplace = [](void* slot) -> void* {
            return &static_cast<std::optional<T>*>(slot)->emplace();
        };
        info.get = [](const void* slot) -> const void* {
            const auto& value = *static_cast<const std::optional<T>*>(slot);
            return value ? &*value : nullptr;
        };
    }
    return info;
}
template <class T>
constexpr ListInfo list_info(std::string_view item_name, TypeInfo item) {
    return {item_name,
            item,
            [](void* list) -> void* { return &static_cast<List<T>*>(list)->emplace_back(); },
            [](const void* list, std::size_t index) -> const void* {
                return &(*static_cast<const List<T>*>(list))[index];
            },
            [](const void* list) { return static_cast<const List<T>*>(list)->size(); },
            [](const void* list) { return static_cast<const List<T>*>(list)->given(); },
            [](void* list) { static_cast<List<T>*>(list)->give(); }};
}

}  // namespace kiln::api
