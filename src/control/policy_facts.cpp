// SPDX-License-Identifier: Apache-2.0
#include "control/policy_facts.h"

#include <algorithm>

#include "util/strings.h"

namespace kiln::control {

void PolicyFacts::add(std::string_view key, std::string value) {
    std::string matched = to_lower(key);
    for (Entry& entry : entries_) {
        if (entry.matched == matched) {
            entry.values.push_back(std::move(value));
            return;
        }
    }
    entries_.push_back({std::string(key), std::move(matched), {std::move(value)}});
}

void PolicyFacts::set(std::string_view key, std::string value) {
    const std::string matched = to_lower(key);
    std::erase_if(entries_, [&](const Entry& entry) { return entry.matched == matched; });
    add(key, std::move(value));
}

const std::vector<std::string>* PolicyFacts::find(std::string_view key) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return entry.matched == key; });
    return found == entries_.end() ? nullptr : &found->values;
}

std::string policy_seconds(UnixMillis time) {
    constexpr std::size_t kToSeconds = 19;
    return format_iso8601(time).substr(0, kToSeconds) + "Z";
}

void add_time(PolicyFacts& facts, UnixMillis now) {
    facts.add("aws:CurrentTime", policy_seconds(now));
    facts.add("aws:EpochTime", std::to_string(now.value / 1000));
}

void add_request_tags(PolicyFacts& facts, const std::vector<model::Tag>& tags) {
    for (const model::Tag& tag : tags) {
        facts.add("aws:RequestTag/" + tag.key, tag.value);
        facts.add("aws:TagKeys", tag.key);
    }
}

}  // namespace kiln::control
