// SPDX-License-Identifier: Apache-2.0
// The error answers several use cases share, with the codes and texts clients match on
// (docs/semantics/wire.md). Thread model: pure functions.
#pragma once

#include <string>
#include <vector>

#include "model/ids.h"
#include "util/error.h"

namespace kiln::control::errors {

Error invalid_parameter_value(std::string message);
Error invalid_parameter_combination(std::string message);
Error missing_parameter(std::string_view name);
Error unsupported(std::string message);
Error invalid_mapping(std::string message);
// BDM-12: KmsKeyId without Encrypted.
Error key_without_encryption();
// RI-5: a root on a disk that is for cold data.
Error cold_root(std::string_view volume_type);

// IDL-2: one text for one id, another for several.
Error images_not_found(const std::vector<std::string>& ids);
Error instances_not_found(const std::vector<std::string>& ids);
Error snapshot_not_found(const model::SnapshotId& id);
Error volume_not_found(const model::VolumeId& id);
Error dry_run();

// What an account is told of a failure in the background: the message, if it was made for clients
// or says what there is too little of; else `generally`. The log has all of it.
std::string told(const Error& error, std::string_view generally);

}  // namespace kiln::control::errors
