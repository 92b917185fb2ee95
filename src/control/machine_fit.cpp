// SPDX-License-Identifier: Apache-2.0
#include "control/machine_fit.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

bool lists(std::string_view comma_separated, std::string_view wanted) {
    const auto parts = split(comma_separated, ',');
    return std::find(parts.begin(), parts.end(), wanted) != parts.end();
}

}  // namespace

Status check_fit(const MachineNeeds& needs, const InstanceType& type) {  // RUN-3
    const std::string_view architecture = model::to_string(needs.architecture);
    if (!lists(type.family->architectures, architecture)) {
        return errors::invalid_parameter_value(
            fmt::format("The architecture '{}' of the specified instance type does not match the "
                        "architecture '{}' of "
                        "the specified AMI. Specify an instance type and an AMI that have matching "
                        "architectures, and "
                        "try again.",
                        type.family->architectures, architecture));
    }
    const std::string_view virtualization = model::to_string(needs.virtualization_type);
    if (!lists(type.family->virtualization_types, virtualization)) {
        return errors::invalid_parameter_combination(
            fmt::format("Non-Windows instances with a virtualization type of '{}' are currently "
                        "not supported for this "
                        "instance type.",
                        virtualization));
    }
    if (needs.virtualization_type == model::VirtualizationType::paravirtual) {
        return errors::unsupported(
            "Booting paravirtual images is not built yet; register the image as hvm.");
    }
    if (type.ena_required() && !needs.ena_support) {
        return errors::invalid_parameter_combination(
            fmt::format("Enhanced networking with the Elastic Network Adapter (ENA) is required "
                        "for the '{}' instance "
                        "type. Ensure that you are using an AMI that is enabled for ENA.",
                        type.name));
    }
    if (needs.boot_mode == model::BootMode::uefi && !type.uefi()) {  // BM-1
        return errors::invalid_parameter_combination(fmt::format(
            "The boot mode uefi of the AMI is not supported by the instance type {}.", type.name));
    }
    if (needs.tpm_v2) {
        return errors::unsupported("Instances with a TPM are not built yet.");
    }
    return ok();
}

}  // namespace kiln::control
