// SPDX-License-Identifier: Apache-2.0
#include "control/api_errors.h"

namespace kiln::control::errors {
namespace {

std::string join(const std::vector<std::string>& ids) {
    std::string text;
    for (const std::string& id : ids) {
        text += (text.empty() ? "" : ", ") + id;
    }
    return text;
}

}  // namespace

Error invalid_parameter_value(std::string message) {
    return Error::api(Code::invalid_argument, "InvalidParameterValue", std::move(message));
}

Error invalid_parameter_combination(std::string message) {
    return Error::api(Code::invalid_argument, "InvalidParameterCombination", std::move(message));
}

Error missing_parameter(std::string_view name) {
    return Error::api(Code::invalid_argument, "MissingParameter",
                      "The request must contain the parameter " + std::string(name));
}

Error unsupported(std::string message) {
    return Error::api(Code::unsupported, "UnsupportedOperation", std::move(message));
}

Error key_without_encryption() {
    return Error::api(Code::invalid_argument, "InvalidParameterDependency",
                      "The parameter KmsKeyId requires the parameter Encrypted to be set.");
}

Error cold_root(std::string_view volume_type) {
    return Error::api(Code::invalid_argument, "BootForVolumeTypeUnsupported",
                      "The volume type " + std::string(volume_type) + " cannot be a boot device.");
}

Error invalid_mapping(std::string message) {
    return Error::api(Code::invalid_argument, "InvalidBlockDeviceMapping", std::move(message));
}

Error images_not_found(const std::vector<std::string>& ids) {
    return Error::api(Code::not_found, "InvalidAMIID.NotFound",
                      ids.size() == 1 ? "The image id '[" + ids[0] + "]' does not exist"
                                      : "The image ids '[" + join(ids) + "]' do not exist");
}

Error instances_not_found(const std::vector<std::string>& ids) {
    return Error::api(Code::not_found, "InvalidInstanceID.NotFound",
                      ids.size() == 1 ? "The instance ID '" + ids[0] + "' does not exist"
                                      : "The instance IDs '" + join(ids) + "' do not exist");
}

Error snapshot_not_found(const model::SnapshotId& id) {
    return Error::api(Code::not_found, "InvalidSnapshot.NotFound",
                      "The snapshot '" + id.str() + "' does not exist.");
}

Error volume_not_found(const model::VolumeId& id) {
    return Error::api(Code::not_found, "InvalidVolume.NotFound",
                      "The volume '" + id.str() + "' does not exist.");
}

Error dry_run() {
    return Error::api(Code::failed_precondition, "DryRunOperation",
                      "Request would have succeeded, but DryRun flag is set.");
}

std::string told(const Error& error, std::string_view generally) {
    const bool for_clients = error.has_api_code() || error.code() == Code::resource_exhausted ||
                             error.code() == Code::out_of_space;
    return for_clients ? error.message() : std::string(generally);
}

}  // namespace kiln::control::errors
