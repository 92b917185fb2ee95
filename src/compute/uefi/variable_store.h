// SPDX-License-Identifier: Apache-2.0
// EDK II's store of UEFI variables: a firmware volume (`uefi-vars.fd`) with an area of
// authenticated variables, and behind it the area of fault tolerant writes, which is left alone.
// Sources: UEFI Platform Initialization specification, volume 3, 3.2.1 (the volume's header); EDK
// II, MdeModulePkg/Include/Guid/VariableFormat.h.
//
// The file is written by the firmware of a guest, and by the guest itself: bytes from outside. It
// may be read while the machine runs: a variable counts once its state says that it is whole, and
// its former value until then. Thread-safe: pure functions.
#pragma once

#include <string>

#include "compute/uefi/variables.h"

namespace kiln::compute {

inline constexpr char kUefiStoreFile[] = "uefi-vars.fd";  // in a machine's directory
inline constexpr std::size_t kMaxUefiStoreBytes = 4U << 20;

// What is in force and outlives a power cycle, in the store's order. data_loss, in words, for a
// file that is no such store or is damaged.
Result<UefiVariables> read_variable_store(ByteView file);

// A store with the header and size of `pristine`, the firmware's own template, and these variables
// instead of those in it; volatile ones are left out. invalid_argument for bad names and when there
// is no room for them, data_loss when the template is no store.
Result<std::string> make_variable_store(ByteView pristine, const UefiVariables& variables);

}  // namespace kiln::compute
