// SPDX-License-Identifier: Apache-2.0
// LaunchTemplate: the parameters of a launch under a name, in numbered versions (LT-1 .. LT-12).
//
// A name is unique per owner and region. A version never changes, and its number never comes again
// after it is deleted. What a version holds is a text here: the JSON object of RunInstances'
// parameters, written by one encoder (control/template_data.h says how it is read and merged).
// Thread model: plain values.
#pragma once

#include <cstdint>
#include <string>

#include "model/ids.h"
#include "util/time.h"

namespace kiln::model {

struct LaunchTemplate {
    LaunchTemplateId id;
    AccountId owner_id;
    std::string region;
    std::string name;
    UnixMillis created;
    std::string created_by;            // the ARN of who asked
    std::int64_t default_version = 1;  // of a version that is there
    std::int64_t latest_version = 1;   // the highest that is there
    std::int64_t last_number = 1;      // the highest that ever was: the next version's is one more
    std::int64_t version_count = 1;
    friend bool operator==(const LaunchTemplate&, const LaunchTemplate&) = default;
};

struct LaunchTemplateVersionIdTag {};
using LaunchTemplateVersionId = StrongId<LaunchTemplateVersionIdTag>;

struct LaunchTemplateVersion {
    LaunchTemplateId template_id;
    std::int64_t number = 1;
    UnixMillis created;  // not before the version below it, so that (created, id) orders by number
    std::string created_by;
    std::string description;
    std::string data;
    std::string image;  // what the data says as ImageId; empty: nothing
    // Both parts as one text. As texts, the ids of one template are in the order of the numbers.
    LaunchTemplateVersionId id() const {
        std::string digits = std::to_string(number);
        constexpr std::size_t kDigits = 10;
        digits.insert(0, digits.size() < kDigits ? kDigits - digits.size() : 0, '0');
        return LaunchTemplateVersionId(template_id.str() + "/" + digits);
    }
    friend bool operator==(const LaunchTemplateVersion&, const LaunchTemplateVersion&) = default;
};

}  // namespace kiln::model
