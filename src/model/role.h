// SPDX-License-Identifier: Apache-2.0
// Role and InstanceProfile: who an instance may act as, and what that one may do. Both belong to an
// account and to no region. A role's name, and a profile's, is unique in its account whatever the
// case of its letters.
//
// Policies are kept as they were given; control/policy.h says what they mean. Thread model: plain
// values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/ids.h"
#include "model/tag.h"
#include "util/time.h"

namespace kiln::model {

struct InlinePolicy {
    std::string name;
    std::string document;  // JSON
    friend bool operator==(const InlinePolicy&, const InlinePolicy&) = default;
};

struct Role {
    RoleId id;
    AccountId owner_id;
    std::string name;
    std::string path;  // "/" or "/a/b/"
    std::string description;
    std::int32_t max_session_s = 3600;
    std::string trust_policy;            // JSON: who may take the role
    std::vector<InlinePolicy> policies;  // by name
    std::vector<Tag> tags;
    UnixMillis created;
    friend bool operator==(const Role&, const Role&) = default;
};

struct InstanceProfile {
    InstanceProfileId id;
    AccountId owner_id;
    std::string name;
    std::string path;
    RoleId role_id;  // empty: it has none
    std::vector<Tag> tags;
    UnixMillis created;
    friend bool operator==(const InstanceProfile&, const InstanceProfile&) = default;
};

// What an instance keeps of the profile it was launched with.
struct InstanceProfileRef {
    InstanceProfileId id;
    std::string arn;
    friend bool operator==(const InstanceProfileRef&, const InstanceProfileRef&) = default;
};

// How an instance came by its profile.
struct ProfileAssociation {
    ProfileAssociationId id;
    UnixMillis since;
    friend bool operator==(const ProfileAssociation&, const ProfileAssociation&) = default;
};

inline std::string arn_of(const Role& role) {
    return "arn:aws:iam::" + role.owner_id.str() + ":role" + role.path + role.name;
}
inline std::string arn_of(const InstanceProfile& profile) {
    return "arn:aws:iam::" + profile.owner_id.str() + ":instance-profile" + profile.path +
           profile.name;
}

}  // namespace kiln::model
