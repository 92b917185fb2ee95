// SPDX-License-Identifier: Apache-2.0
#include "control/session_tags.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/identity_rules.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMaxSessionTags = 50;

bool has_key(const SessionTag& tag, std::string_view key) {
    return equals_ignore_case(tag.tag.key, key);
}

void append_short_text(Bytes& out, const std::string& text) {
    ByteWriter(out).le(static_cast<std::uint16_t>(text.size())).bytes(as_bytes(text));
}

std::string read_short_text(ByteReader& bytes) {
    return std::string(as_text(bytes.bytes(bytes.le<std::uint16_t>())));
}

}  // namespace

Result<SessionTags> read_session_tags(const std::vector<model::Tag>& tags,
                                      const std::vector<std::string>& transitive) {
    const Status sound = check_identity_tags(tags);
    if (!sound) {
        return errors::validation(sound.error().message());
    }
    SessionTags out;
    for (const model::Tag& tag : tags) {
        out.push_back({tag});
    }
    for (const std::string& key : transitive) {
        const auto named = std::find_if(out.begin(), out.end(),
                                        [&](const SessionTag& tag) { return has_key(tag, key); });
        if (named == out.end()) {
            return errors::validation(fmt::format(
                "The transitive tag key {} must be one of the tags of the request.", key));
        }
        named->transitive = true;
    }
    return out;
}

Result<SessionTags> inherit_tags(const SessionTags& from, SessionTags given) {
    for (const SessionTag& inherited : from) {
        if (!inherited.transitive) {
            continue;
        }
        const std::string& key = inherited.tag.key;
        if (std::any_of(given.begin(), given.end(),
                        [&](const SessionTag& tag) { return has_key(tag, key); })) {
            return errors::validation(fmt::format(
                "The tag key {} is transitive in the session that asks and cannot be given anew.",
                key));
        }
        given.push_back(inherited);
    }
    if (given.size() > kMaxSessionTags) {
        return errors::validation(fmt::format("A session has up to {} tags.", kMaxSessionTags));
    }
    return given;
}

std::vector<model::Tag> principal_tags(const std::vector<model::Tag>& of_role,
                                       const SessionTags& of_session) {
    std::vector<model::Tag> tags = tags_of(of_session);
    for (const model::Tag& tag : of_role) {
        if (std::none_of(of_session.begin(), of_session.end(),
                         [&](const SessionTag& own) { return has_key(own, tag.key); })) {
            tags.push_back(tag);
        }
    }
    return tags;
}

std::vector<model::Tag> tags_of(const SessionTags& tags) {
    std::vector<model::Tag> out;
    for (const SessionTag& tag : tags) {
        out.push_back(tag.tag);
    }
    return out;
}

std::size_t bytes_of(const SessionTags& tags) {
    std::size_t bytes = 0;
    for (const SessionTag& tag : tags) {
        bytes += tag.tag.key.size() + tag.tag.value.size();
    }
    return bytes;
}

void append_session_tags(Bytes& out, const SessionTags& tags) {
    out.push_back(static_cast<std::uint8_t>(tags.size()));
    for (const SessionTag& tag : tags) {
        out.push_back(tag.transitive ? 1 : 0);
        append_short_text(out, tag.tag.key);
        append_short_text(out, tag.tag.value);
    }
}

SessionTags read_session_tags(ByteReader& bytes) {
    SessionTags tags;
    const std::size_t count = bytes.le<std::uint8_t>();
    for (std::size_t i = 0; i < count && bytes.ok(); ++i) {
        SessionTag& tag = tags.emplace_back();
        tag.transitive = bytes.le<std::uint8_t>() != 0;
        tag.tag.key = read_short_text(bytes);
        tag.tag.value = read_short_text(bytes);
    }
    return tags;
}

}  // namespace kiln::control
