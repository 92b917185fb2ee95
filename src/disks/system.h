// SPDX-License-Identifier: Apache-2.0
// The operating system in a file system: what its own files say of it (os-release, the head of a
// program, cloud-init). All texts come from a stranger; they are short and printable ASCII, or they
// are made so. Errors: those of the tree alone. Thread model: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "disks/file_tree.h"

namespace kiln::disks {

struct System {
    std::string id;            // "debian"
    std::string version;       // "12"
    std::string name;          // "Debian GNU/Linux 12 (bookworm)"
    std::string architecture;  // EC2's name where it has one, else the processor's; or empty
    bool cloud_init = false;
};

// Nothing where no operating system is.
Result<std::optional<System>> find_system(FileTree& tree);

// Letters a terminal can show, and not too many.
std::string printable(std::string_view text);

// The processor of a program by its first bytes (ELF); empty when they say nothing.
std::string architecture_of_program(std::string_view head);

// os-release(5): NAME="value" lines, as a shell would read them.
System parse_os_release(std::string_view text);

}  // namespace kiln::disks
