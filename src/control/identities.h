// SPDX-License-Identifier: Apache-2.0
// Identities: who a key speaks for, with the policies as the catalog has them now. Policies were
// read before they were stored; one that cannot be read any more is data_loss, since leaving it out
// would leave out what it denies. Thread model: pure functions.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "control/authorization.h"
#include "model/role.h"
#include "model/user.h"

namespace kiln::control {

using IdentityPtr = std::shared_ptr<const Identity>;

// What a session of a role brings.
struct RoleSession {
    std::string name;
    UnixMillis issued;
    std::string policy{};  // which limits it, as it was given; empty for none
    SessionTags tags{};
};

// `issued`: of the keys of a session; nothing for the user's own.
Result<IdentityPtr> identity_of(const model::User& user, std::optional<UnixMillis> issued);
Result<IdentityPtr> identity_of(const model::Role& role, const RoleSession& session);
// A session of the account itself.
IdentityPtr identity_of(const model::AccountId& account, UnixMillis issued);

}  // namespace kiln::control
