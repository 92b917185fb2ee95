// SPDX-License-Identifier: Apache-2.0
// The query of a KilnApi request: parameters are taken out of it one by one, so that what is left
// over at the end is what nobody knows.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "model/names.h"
#include "util/result.h"

namespace kiln::api {

using Query = std::map<std::string, std::string>;

// Percent-encoding is undone; of a parameter given twice the last counts.
Result<Query> parse_query(std::string_view text);

std::string take(Query& query, const std::string& name, std::string otherwise = "");

// InvalidParameterValue.
Error unknown_value(const std::string& name, const std::string& value);

// unknown_value for a text that is none of E's.
template <class E>
Result<E> take_enum(Query& query, const std::string& name, E otherwise) {
    const std::string text = take(query, name);
    if (text.empty()) {
        return otherwise;
    }
    const auto value = model::parse<E>(text);
    if (!value) {
        return unknown_value(name, text);
    }
    return *value;
}

}  // namespace kiln::api
