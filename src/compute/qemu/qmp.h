// SPDX-License-Identifier: Apache-2.0
// QMP, QEMU's control protocol, as text: one JSON object per line in both directions. This is the
// codec alone; the connection is qmp_client.h.
//
// From replies and events we keep the scalar members at the top of `return` or `data`, of a list of
// labelled objects (query-chardev) the flags, as "LABEL/MEMBER", and a `return` that is a text
// itself (qom-get), as "return": all that we read today.
// Lines come from a process that runs a hostile guest, so they are treated as outside bytes:
// bounded, and fuzzed (fuzz/qmp_fuzz.cpp). Thread model: pure functions over plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "util/result.h"

namespace kiln::compute {

// Longest line accepted; the longest QEMU sends us (a full device tree) has some ten kilobytes.
inline constexpr std::size_t kMaxQmpLineBytes = 1U << 20;

struct QmpMessage {
    enum class Kind { greeting, event, reply, failure };
    Kind kind = Kind::event;
    std::uint64_t id = 0;     // reply, failure: which command; 0 when QEMU could not tell
    std::string name;         // event: its name; failure: the error class
    std::string description;  // failure: for people
    std::map<std::string, std::string, std::less<>> strings;
    std::map<std::string, bool, std::less<>> flags;

    std::string_view string(std::string_view member) const;  // empty when absent
    bool flag(std::string_view member) const;                // false when absent
};

// data_loss when the line is not a QMP message.
Result<QmpMessage> parse_qmp_line(std::string_view line);

// With the line feed. `arguments` is a JSON object of our own making, or empty.
std::string encode_qmp_command(std::uint64_t id, std::string_view name,
                               std::string_view arguments = {});

}  // namespace kiln::compute
