// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/query.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::api {

Result<Query> parse_query(std::string_view text) {
    Query query;
    for (std::string_view part : split(text, '&')) {
        if (part.empty()) {
            continue;
        }
        const auto equals = part.find('=');
        TRY_ASSIGN(const std::string name, percent_decode(part.substr(0, equals), true));
        std::string value;
        if (equals != std::string_view::npos) {
            TRY_ASSIGN(value, percent_decode(part.substr(equals + 1), true));
        }
        query[name] = value;
    }
    return query;
}

std::string take(Query& query, const std::string& name, std::string otherwise) {
    const auto found = query.find(name);
    if (found == query.end()) {
        return otherwise;
    }
    std::string value = std::move(found->second);
    query.erase(found);
    return value;
}

Error unknown_value(const std::string& name, const std::string& value) {
    return control::errors::invalid_parameter_value(
        fmt::format("Invalid value '{}' for {}.", value, name));
}

}  // namespace kiln::api
