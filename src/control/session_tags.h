// SPDX-License-Identifier: Apache-2.0
// Tags of a session (IAM-34): what AssumeRole gives them, what a session hands on to the next, and
// how they stand in the session's token.
//
// Errors: ValidationError. Thread model: plain values and pure functions.
#pragma once

#include <string>
#include <vector>

#include "model/tag.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::control {

struct SessionTag {
    model::Tag tag;
    bool transitive = false;  // the sessions that this one makes have it too
    friend bool operator==(const SessionTag&, const SessionTag&) = default;
};
using SessionTags = std::vector<SessionTag>;

// What a request gives: `transitive` are keys of `tags`.
Result<SessionTags> read_session_tags(const std::vector<model::Tag>& tags,
                                      const std::vector<std::string>& transitive);
// With what the session that asks hands on; what that has cannot be given anew.
Result<SessionTags> inherit_tags(const SessionTags& from, SessionTags given);

// Those of a role, with the session's in the place of those of the same key in whatever case.
std::vector<model::Tag> principal_tags(const std::vector<model::Tag>& of_role,
                                       const SessionTags& of_session);

std::vector<model::Tag> tags_of(const SessionTags& tags);
// Keys and values, as they count for the size of a session.
std::size_t bytes_of(const SessionTags& tags);

// count u8 | per tag: transitive u8 | length u16 LE, key | length u16 LE, value
void append_session_tags(Bytes& out, const SessionTags& tags);
// Where they are not whole, `bytes` says so.
SessionTags read_session_tags(ByteReader& bytes);

}  // namespace kiln::control
