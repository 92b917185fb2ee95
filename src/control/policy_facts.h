// SPDX-License-Identifier: Apache-2.0
// What policies see of a call and of what it touches: condition keys and their values (IAM-8).
// Thread model: plain values and pure functions.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/tag.h"
#include "util/time.h"

namespace kiln::control {

// Keys match in any case, and are told as they were first written.
class PolicyFacts {
  public:
    struct Entry {
        std::string key;      // "ec2:VolumeSize"
        std::string matched;  // the same in lower case
        std::vector<std::string> values;
    };

    // A key with several values has them all.
    void add(std::string_view key, std::string value);
    // Instead of what was there.
    void set(std::string_view key, std::string value);
    // Null where the key is absent. `key` is in lower case.
    const std::vector<std::string>* find(std::string_view key) const;
    const std::vector<Entry>& all() const { return entries_; }

  private:
    std::vector<Entry> entries_;
};

// PolicyFacts::find, over all that is known of a call.
using FindFact = std::function<const std::vector<std::string>*(std::string_view key)>;

// aws:CurrentTime and aws:EpochTime
void add_time(PolicyFacts& facts, UnixMillis now);
// aws:RequestTag and aws:TagKeys
void add_request_tags(PolicyFacts& facts, const std::vector<model::Tag>& tags);

// "2025-06-01T12:34:56Z": a time as policies see it.
std::string policy_seconds(UnixMillis time);

}  // namespace kiln::control
