// SPDX-License-Identifier: Apache-2.0
// The calls about accounts: what their JSON says, and what they answer (ACC-2, ACC-3). Who asks was
// looked at before. Thread model: pure functions, beside what Accounts does.
#pragma once

#include <string>
#include <string_view>

#include "control/accounts.h"

namespace kiln::api {

// {name?, id?, managementAccount?, organization?, units?}, of texts.
Result<std::string> create_account(control::Accounts& accounts, std::string_view body);
// The same without an id; what is left out stays as it is. An organization that is empty is left.
Result<std::string> update_account(control::Accounts& accounts, const std::string& id,
                                   std::string_view body);

}  // namespace kiln::api
