// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/qemu_hypervisor.h"

#include <fmt/format.h>

#include "compute/doctor.h"
#include "compute/qemu/driver.h"
#include "compute/qemu/host.h"

namespace kiln::compute {

Result<std::unique_ptr<Hypervisor>> make_qemu_hypervisor(const QemuOptions& options,
                                                         MachineEvents& events) {
    const HostReport report = inspect_host(options);
    TRY_ASSIGN(std::string program, find_qemu(options.binary));
    LaunchFacts facts;
    facts.program = std::move(program);
    facts.accelerator = report.accelerator.accelerator;
    facts.ovmf_code = report.ovmf_code.value_or("");
    facts.ovmf_variables = report.ovmf_vars.value_or("");
    facts.separate_users = report.separate_users;
    std::string description = fmt::format(
        "QEMU {}, {} ({}), machines run as {}", report.qemu_version.value_or("of unknown version"),
        facts.accelerator == Accelerator::kvm ? "KVM" : "TCG", report.accelerator.reason,
        report.separate_users ? "users of their own" : "this user");
    auto hypervisor =
        std::make_unique<QemuDriver>(std::move(facts), std::move(description), events);
    TRY(hypervisor->begin());
    return std::unique_ptr<Hypervisor>(std::move(hypervisor));
}

}  // namespace kiln::compute
