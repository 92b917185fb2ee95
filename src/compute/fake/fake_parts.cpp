// SPDX-License-Identifier: Apache-2.0
#include "compute/fake/fake_parts.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "util/fs.h"

namespace kiln::compute::fake {

MachineEvent event_of(MachineEvent::Kind kind) {
    MachineEvent event;
    event.kind = kind;
    return event;
}

MachineEvent exited_with(int status) {
    MachineEvent event = event_of(MachineEvent::Kind::exited);
    event.exit_status = status;
    return event;
}

Status append(const std::string& path, std::string_view text) {
    if (const auto slash = path.rfind('/'); slash != std::string::npos && slash > 0) {
        TRY(make_directories(path.substr(0, slash), 0700));
    }
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) {
        return Error::from_errno(errno, "open " + path);
    }
    if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return Error::from_errno(errno, "write " + path);
    }
    return ok();
}

Error no_machine(const MachineId& id) {
    return Error(Code::not_found, "no machine " + id.str());
}

}  // namespace kiln::compute::fake
