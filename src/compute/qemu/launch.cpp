// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/launch.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "compute/console.h"
#include "compute/qemu/argv.h"
#include "compute/qemu/host.h"
#include "compute/qemu/unix_socket.h"
#include "compute/qemu/users.h"
#include "compute/uefi/variable_store.h"
#include "util/strings.h"

namespace kiln::compute {
namespace {

std::string log_path(const std::string& directory) {
    return directory + "/qemu.log";
}

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

Result<UniqueFd> open_file(const std::string& path, int flags) {
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
    if (!fd) {
        return Error::from_errno(errno, "open " + path);
    }
    return fd;
}

// The machine's own UEFI variables, made from the template at its first start (BM-2).
Result<UniqueFd> open_variables(const MachineSpec& spec, const std::string& ovmf_variables) {
    const std::string path = spec.directory + "/" + kUefiStoreFile;
    if (::access(path.c_str(), F_OK) != 0) {
        TRY_ASSIGN(std::string content, read_file(ovmf_variables));
        if (!spec.uefi_variables.empty()) {
            auto made = make_variable_store(as_bytes(content), spec.uefi_variables);
            if (!made && made.error().code() == Code::invalid_argument) {
                // The image's owner chose them, and is told.
                return std::move(made.error()).with_api_code("Client.InternalError");
            }
            TRY_ASSIGN(content, std::move(made));
        }
        TRY(write_file_atomic(path, content, 0600));
    }
    return open_file(path, O_RDWR);
}

Result<UniqueFd> listen_for(const std::string& path, std::optional<uid_t> owner) {
    TRY_ASSIGN(UniqueFd socket, listen_unix(path));
    if (owner && ::chown(path.c_str(), *owner, static_cast<gid_t>(-1)) != 0) {
        return Error::from_errno(errno, "chown " + path);
    }
    return socket;
}

Result<UniqueFd> open_child_file(const ChildFileSlot& slot, const MachineSpec& spec,
                                 const LaunchFacts& facts, const RuntimeRecord& record) {
    switch (slot.file) {
        case ChildFile::qmp:
            return listen_unix(qmp_path(spec.runtime_directory));
        case ChildFile::qmp_spare:
            return listen_unix(qmp_spare_path(spec.runtime_directory));
        case ChildFile::agent:
            return listen_unix(agent_path(spec.runtime_directory));
        case ChildFile::serial:
            return listen_unix(serial_path(spec.runtime_directory));
        case ChildFile::serial_log:
            TRY(make_directories(parent_of(spec.serial_log), 0700));
            return open_file(spec.serial_log, O_WRONLY | O_APPEND | O_CREAT);
        case ChildFile::uefi_variables:
            return open_variables(spec, facts.ovmf_variables);
        case ChildFile::nic:
            return listen_for(spec.nics[slot.nic].socket, record.user);
        case ChildFile::disk:
            return open_file(spec.disks[slot.disk].file, O_RDWR);
    }
    return Error(Code::internal, "unknown child file");
}

RuntimeRecord new_record(const MachineSpec& spec, const LaunchFacts& facts) {
    RuntimeRecord record;
    record.id = spec.id;
    record.generation = spec.generation;
    record.accelerator = facts.accelerator;
    record.runtime_directory = spec.runtime_directory;
    record.serial_log = spec.serial_log;
    for (const auto& disk : spec.disks) {
        if (disk.transport != DiskTransport::file) {
            record.disk_sockets.emplace(disk.id, disk.socket);
        }
    }
    if (facts.separate_users) {
        record.user = instance_uid(spec.id);
    }
    return record;
}

}  // namespace

Status grant_socket(const RuntimeRecord& record, const std::string& path) {
    if (record.user && *record.user != ::geteuid() &&
        ::chown(path.c_str(), *record.user, static_cast<gid_t>(-1)) != 0) {
        return Error::from_errno(errno, "give " + path + " to the machine's user");
    }
    return ok();
}

Status grant_sockets(const RuntimeRecord& record) {
    Status all = ok();
    for (const auto& [disk, path] : record.disk_sockets) {
        if (Status granted = grant_socket(record, path); !granted) {
            all = std::move(granted);
        }
    }
    return all;
}

Result<HeldMachine> prepare_launch(const MachineSpec& spec, const LaunchFacts& facts) {
    TRY_ASSIGN(auto args, build_argv(spec, {facts.program, facts.accelerator, facts.ovmf_code}));
    TRY(make_directories(spec.directory, 0700));
    TRY(make_directories(spec.runtime_directory, 0711));
    RuntimeRecord record = new_record(spec, facts);
    record.argv_hash = hash_argv(args);
    TRY(grant_sockets(record));

    TRY_ASSIGN(const UniqueFd log,
               open_file(log_path(spec.directory), O_WRONLY | O_APPEND | O_CREAT));
    // Ours are closed when this returns: from then on a dead QEMU means a refused or ended
    // connection.
    std::vector<UniqueFd> files;
    SpawnRequest request;
    for (const auto& slot : child_files(spec)) {
        TRY_ASSIGN(UniqueFd file, open_child_file(slot, spec, facts, record));
        request.descriptors.push_back(file.get());
        files.push_back(std::move(file));
    }
    request.program = facts.program;
    request.args = std::move(args);
    request.log = log.get();
    request.user = record.user;
    request.expendable = true;
    for (const auto& [disk, path] : record.disk_sockets) {
        request.must_reach.push_back(path);
    }
    if (facts.accelerator == Accelerator::kvm && record.user) {
        request.extra_group = kvm_group();
    }
    TRY_ASSIGN(HeldProcess process, HeldProcess::spawn(request));
    record.process = process.identity();
    TRY(write_record(spec.directory, record));
    return HeldMachine{std::move(process), std::move(record)};
}

std::string last_words(const std::string& directory) {
    const auto log = read_console(log_path(directory));
    if (!log) {
        return {};
    }
    const std::string_view text = trim(log->bytes);
    const auto line = text.rfind('\n');
    return std::string(line == std::string_view::npos ? text : text.substr(line + 1));
}

}  // namespace kiln::compute
