// SPDX-License-Identifier: Apache-2.0
#include "api/codec/descriptor.h"

#include "util/check.h"

namespace kiln::api {
namespace {

// Calls `use` with a null pointer of the slot's C++ type; structures and lists, whose type only
// their own functions know, do not come here.
template <class Use>
auto with_slot_type(Kind kind, Use use) {
    switch (kind) {
        case Kind::integer:
            return use(static_cast<Scalar<std::int32_t>*>(nullptr));
        case Kind::long_:
            return use(static_cast<Scalar<std::int64_t>*>(nullptr));
        case Kind::double_:
            return use(static_cast<Scalar<double>*>(nullptr));
        case Kind::boolean:
            return use(static_cast<Scalar<bool>*>(nullptr));
        case Kind::timestamp:
            return use(static_cast<Scalar<UnixMillis>*>(nullptr));
        case Kind::blob:
            return use(static_cast<Scalar<Bytes>*>(nullptr));
        case Kind::string:
        case Kind::structure:
        case Kind::list:
            break;
    }
    check_failed("a scalar kind", __FILE__, __LINE__, nullptr);
}

const void* slot_of(const MemberInfo& member, const void* object) {
    return static_cast<const std::byte*>(object) + member.offset;
}
void* slot_of(const MemberInfo& member, void* object) {
    return static_cast<std::byte*>(object) + member.offset;
}

Presence list_presence(const ListInfo& list, const void* slot) {
    if (!list.given(slot)) {
        return Presence::absent;
    }
    return list.size(slot) == 0 ? Presence::empty : Presence::set;
}

Presence string_presence(const std::optional<std::string>& text) {
    if (!text) {
        return Presence::absent;
    }
    return text->empty() ? Presence::empty : Presence::set;
}

}  // namespace

Presence presence(const MemberInfo& member, const void* object) {
    const void* slot = slot_of(member, object);
    switch (member.type.kind) {
        case Kind::structure:
            return member.type.structure->get(slot) != nullptr ? Presence::set : Presence::absent;
        case Kind::list:
            return list_presence(*member.type.list, slot);
        case Kind::string:
            return string_presence(*static_cast<const std::optional<std::string>*>(slot));
        default:
            return with_slot_type(member.type.kind, [slot]<class Slot>(Slot*) {
                const auto& scalar = *static_cast<const Slot*>(slot);
                return scalar.has_value()     ? Presence::set
                       : scalar.given_empty() ? Presence::empty
                                              : Presence::absent;
            });
    }
}

const void* value_of(const MemberInfo& member, const void* object) {
    const void* slot = slot_of(member, object);
    switch (member.type.kind) {
        case Kind::structure:
            return member.type.structure->get(slot);
        case Kind::list:
            return slot;
        case Kind::string:
            return &**static_cast<const std::optional<std::string>*>(slot);
        default:
            return with_slot_type(member.type.kind, [slot]<class Slot>(Slot*) -> const void* {
                return &**static_cast<const Slot*>(slot);
            });
    }
}

void* make_value(const MemberInfo& member, void* object) {
    void* slot = slot_of(member, object);
    switch (member.type.kind) {
        case Kind::structure:
            return member.type.structure->emplace(slot);
        case Kind::list:
            member.type.list->give(slot);
            return slot;
        case Kind::string:
            return &static_cast<std::optional<std::string>*>(slot)->emplace();
        default:
            return with_slot_type(member.type.kind, [slot]<class Slot>(Slot*) -> void* {
                return &static_cast<Slot*>(slot)->emplace();
            });
    }
}

void make_empty(const MemberInfo& member, void* object) {
    switch (member.type.kind) {
        case Kind::structure:
        case Kind::list:
        case Kind::string:
            make_value(member, object);
            return;
        default:
            with_slot_type(member.type.kind, [slot = slot_of(member, object)]<class Slot>(Slot*) {
                *static_cast<Slot*>(slot) = Slot::empty_value();
            });
    }
}

const MemberInfo* find_by_query_name(const StructInfo& info, std::string_view query_name) {
    for (const MemberInfo& member : info.members) {
        if (member.query_name == query_name) {
            return &member;
        }
    }
    return nullptr;
}

}  // namespace kiln::api
