// SPDX-License-Identifier: Apache-2.0
// Document: the part of a row that no query selects on, as a tree of plain values, and its text
// form (JSON).
//
// The tree is ours so that the JSON library stays inside one source file.
// Thread model: plain values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "util/result.h"

namespace kiln::catalog::detail {

struct DocumentMember;

struct Document {
    using Array = std::vector<Document>;
    using Object = std::vector<DocumentMember>;  // few enough to search through
    std::variant<std::monostate, bool, std::int64_t, std::string, Array, Object> value;
};

struct DocumentMember {
    std::string name;
    Document value;
};

// invalid_argument when a text in it is not UTF-8.
Result<std::string> to_json(const Document& document);
// data_loss when it is not what to_json writes.
Result<Document> from_json(std::string_view text);

}  // namespace kiln::catalog::detail
