// SPDX-License-Identifier: Apache-2.0
// EDK II's variable `certdb`: which certificates may change a variable that is authenticated by
// time, as their digest. EC2's form has the digest at the variable itself, so the list is taken
// apart and put together on the way. Source: EDK II, SecurityPkg/Library/AuthVariableLib
// (AUTH_CERT_DB_DATA). Thread model: pure functions.
#pragma once

#include "compute/uefi/variables.h"

namespace kiln::compute {

// Gives the variables the digests that the list among them has, and takes the list away.
// data_loss for a list that is none.
Status take_certificates(UefiVariables& variables);

// The variables as the store has them: with a list, if one of them has a digest, in place of any
// that is there. Their names must be checked.
UefiVariables with_certificates(const UefiVariables& variables);

}  // namespace kiln::compute
