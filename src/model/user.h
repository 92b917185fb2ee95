// SPDX-License-Identifier: Apache-2.0
// User: somebody in an account with keys of their own, who may do what their policies allow. A
// user belongs to no region; the name is unique in the account whatever the case of its letters.
// Thread model: plain values and pure functions.
#pragma once

#include <string>
#include <vector>

#include "model/ids.h"
#include "model/role.h"
#include "model/tag.h"
#include "util/time.h"

namespace kiln::model {

struct User {
    UserId id;
    AccountId owner_id;
    std::string name;
    std::string path;                    // "/" or "/a/b/"
    std::vector<InlinePolicy> policies;  // by name
    std::vector<Tag> tags;
    UnixMillis created;
    friend bool operator==(const User&, const User&) = default;
};

inline std::string arn_of(const User& user) {
    return "arn:aws:iam::" + user.owner_id.str() + ":user" + user.path + user.name;
}

}  // namespace kiln::model
