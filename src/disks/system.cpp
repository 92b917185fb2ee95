// SPDX-License-Identifier: Apache-2.0
#include "disks/system.h"

#include <array>

#include "util/strings.h"

namespace kiln::disks {
namespace {

constexpr std::size_t kMaxText = 128;
constexpr std::size_t kMaxOsRelease = 16U << 10;  // real ones have less than 1 KiB
constexpr std::size_t kElfHead = 20;
constexpr std::array<const char*, 2> kOsReleases{"/etc/os-release", "/usr/lib/os-release"};
// Every Linux has some of them.
constexpr std::array<const char*, 5> kPrograms{"/usr/lib/systemd/systemd", "/sbin/init", "/bin/sh",
                                               "/usr/bin/bash", "/bin/busybox"};
constexpr std::array<const char*, 2> kCloudInit{"/usr/bin/cloud-init", "/usr/local/bin/cloud-init"};

struct Machine {
    std::uint16_t number;
    const char* name;
};
constexpr std::array<Machine, 7> kMachines{{{62, "x86_64"},
                                            {183, "arm64"},
                                            {3, "i386"},
                                            {40, "arm"},
                                            {243, "riscv"},
                                            {21, "ppc64"},
                                            {22, "s390"}}};

// What is not there is nothing; another error is one.
Result<std::optional<std::string>> read_if_there(FileTree& tree, const std::string& path,
                                                 std::size_t limit) {
    const auto real = resolve(tree, path);
    if (!real && real.error().code() == Code::not_found) {
        return std::optional<std::string>();
    }
    TRY(real);
    auto bytes = tree.read(*real, limit);
    if (!bytes && bytes.error().code() == Code::not_found) {
        return std::optional<std::string>();
    }
    TRY(bytes);
    return std::optional<std::string>(std::move(*bytes));
}

// Of a value in an os-release: without quotes and their escapes.
std::string unquoted(std::string_view value) {
    value = trim(value);
    const char quote = value.empty() ? '\0' : value.front();
    if (value.size() < 2 || (quote != '"' && quote != '\'') || value.back() != quote) {
        return printable(value);
    }
    value = value.substr(1, value.size() - 2);
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (quote == '"' && value[i] == '\\' && i + 1 < value.size()) {
            ++i;
        }
        out += value[i];
    }
    return printable(out);
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, kMaxText)) {
        out += c >= ' ' && c <= '~' ? c : '?';
    }
    return out;
}

std::string architecture_of_program(std::string_view head) {
    if (head.size() < kElfHead || !head.starts_with("\x7f"
                                                    "ELF")) {
        return {};
    }
    const bool big_endian = head[5] == 2;
    const auto low = static_cast<std::uint8_t>(head[big_endian ? 19 : 18]);
    const auto high = static_cast<std::uint8_t>(head[big_endian ? 18 : 19]);
    for (const Machine& machine : kMachines) {
        if (machine.number == (high << 8 | low)) {
            return machine.name;
        }
    }
    return {};
}

System parse_os_release(std::string_view text) {
    System system;
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos) {
            continue;
        }
        const std::string_view key = trim(line.substr(0, equals));
        const std::string_view value = line.substr(equals + 1);
        if (key == "ID") {
            system.id = unquoted(value);
        } else if (key == "VERSION_ID") {
            system.version = unquoted(value);
        } else if (key == "PRETTY_NAME" || (key == "NAME" && system.name.empty())) {
            system.name = unquoted(value);
        }
    }
    return system;
}

Result<std::optional<System>> find_system(FileTree& tree) {
    std::optional<System> system;
    for (const char* path : kOsReleases) {
        TRY_ASSIGN(const auto text, read_if_there(tree, path, kMaxOsRelease));
        if (text) {
            system = parse_os_release(*text);
            break;
        }
    }
    std::string architecture;
    for (const char* path : kPrograms) {
        TRY_ASSIGN(const auto head, read_if_there(tree, path, kElfHead));
        architecture = architecture_of_program(head.value_or(""));
        if (!architecture.empty()) {
            break;
        }
    }
    if (!system && architecture.empty()) {
        return system;
    }
    // An old or a home-made system may have programs and no os-release.
    System found = system.value_or(System{});
    found.architecture = architecture;
    for (const char* path : kCloudInit) {
        TRY_ASSIGN(const auto there, read_if_there(tree, path, 1));
        found.cloud_init = found.cloud_init || there.has_value();
    }
    return std::optional<System>(std::move(found));
}

}  // namespace kiln::disks
