// SPDX-License-Identifier: Apache-2.0
// Identities: who a key speaks for, with the policies as the catalog has them now. Policies were
// read before they were stored; one that cannot be read any more is data_loss, since leaving it out
// would leave out what it denies. Thread model: pure functions.
#pragma once

#include <memory>
#include <string>

#include "control/authorization.h"
#include "model/role.h"
#include "model/user.h"

namespace kiln::control {

using IdentityPtr = std::shared_ptr<const Identity>;

Result<IdentityPtr> identity_of(const model::User& user, bool temporary);
// `policy`: of the session, as it was given; empty for none.
Result<IdentityPtr> identity_of(const model::Role& role, const std::string& session_name,
                                const std::string& policy);
// A session of the account itself.
IdentityPtr identity_of(const model::AccountId& account);

}  // namespace kiln::control
