// SPDX-License-Identifier: Apache-2.0
// Tag: a key and a value that an account puts on a resource (section 6 of docs/semantics). Keys are
// unique per resource and tagging account: what one account tags, no other sees (TAG-4). Thread
// model: plain value.
#pragma once

#include <string>

namespace kiln::model {

struct Tag {
    std::string key;
    std::string value;
    friend bool operator==(const Tag&, const Tag&) = default;
};

}  // namespace kiln::model
