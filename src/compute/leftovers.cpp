// SPDX-License-Identifier: Apache-2.0
#include "compute/leftovers.h"

#include <signal.h>

#include <filesystem>

#include "compute/network/record.h"
#include "compute/qemu/process.h"
#include "compute/qemu/record.h"

namespace kiln::compute {
namespace {

Status end_process(const ProcessIdentity& identity, Deadline deadline) {
    TRY_ASSIGN(const auto process, open_process(identity));
    if (!process) {
        return ok();
    }
    TRY(signal_process(*process, SIGKILL));
    if (!wait_for_exit(*process, deadline)) {
        return Error(Code::deadline_exceeded,
                     "process " + std::to_string(identity.pid) + " does not end");
    }
    reap(*process);  // when it was ours
    return ok();
}

// A record that cannot be read names no process.
template <class Record>
Status end_recorded(const Result<std::optional<Record>>& record, Deadline deadline) {
    if (!record) {
        return record.error();
    }
    return *record ? end_process((*record)->process, deadline) : ok();
}

}  // namespace

Status end_recorded_processes(const std::string& instances_directory, Deadline deadline) {
    Status first = ok();
    const auto note = [&first](Status status) {
        if (first && !status) {
            first = std::move(status);
        }
    };
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(instances_directory, error)) {
        const std::string directory = entry.path().string();
        if (!entry.is_directory(error)) {
            continue;  // not ours
        }
        note(end_recorded(read_record(directory), deadline));
        note(end_recorded(read_network_record(directory), deadline));
    }
    return first;
}

}  // namespace kiln::compute
