// SPDX-License-Identifier: Apache-2.0
#include "control/uefi_variables.h"

#include <fmt/format.h>

#include <filesystem>

#include "compute/uefi/aws_data.h"
#include "compute/uefi/variable_store.h"
#include "util/fs.h"
#include "util/log.h"

namespace kiln::control {
namespace {

std::string store_path(const std::string& directory) {
    return directory + "/" + compute::kUefiStoreFile;
}

Result<std::string> to_uefi_data(const std::string& file) {
    TRY_ASSIGN(const auto variables, compute::read_variable_store(as_bytes(file)));
    return compute::encode_uefi_data(variables);
}

}  // namespace

Result<compute::UefiVariables> first_uefi_variables(catalog::Store& store,
                                                    const model::Instance& instance,
                                                    const std::string& directory) {
    std::error_code error;
    if (instance.current_boot_mode != model::BootMode::uefi ||
        std::filesystem::exists(store_path(directory), error)) {
        return compute::UefiVariables();
    }
    TRY_ASSIGN(const auto image, store.read([&](catalog::Transaction& tx) {
        return tx.images().find(instance.image_id);
    }));
    if (!image || image->uefi_data.empty()) {
        return compute::UefiVariables();
    }
    TRY_ASSIGN(auto variables, compute::decode_uefi_data(image->uefi_data), image->id.str());
    return variables;
}

Result<std::optional<std::string>> current_uefi_data(const model::Instance& instance,
                                                     const std::string& directory) {
    if (instance.current_boot_mode != model::BootMode::uefi) {
        return std::optional<std::string>();
    }
    const auto file = read_file(store_path(directory), compute::kMaxUefiStoreBytes);
    if (!file) {
        if (file.error().code() == Code::not_found) {
            return std::optional<std::string>();
        }
        return file.error();
    }
    auto data = to_uefi_data(*file);
    if (!data) {
        // The account's own guest wrote them: it is told.
        log_warn("instances", fmt::format("UEFI variables of {}: {}", instance.id.str(),
                                          data.error().to_string()));
        return Error::api(Code::failed_precondition, "IncorrectInstanceState",
                          fmt::format("The UEFI variables of the instance '{}' cannot be read: {}.",
                                      instance.id.str(), data.error().message()));
    }
    return std::optional(std::move(*data));
}

}  // namespace kiln::control
