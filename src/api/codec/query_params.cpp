// SPDX-License-Identifier: Apache-2.0
#include "api/codec/query_params.h"

#include <algorithm>

#include "api/codec/text.h"
#include "util/encoding.h"

namespace kiln::api {
namespace {

Error malformed(std::string message) {
    return Error::api(Code::invalid_argument, "MalformedQueryString", std::move(message));
}

// '.' sorts before everything else, so that "A", "A.x" and all below "A." stand together, before
// "A-b".
unsigned rank(char c) {
    return c == '.' ? 0U : 1U + static_cast<unsigned char>(c);
}
bool name_less(std::string_view a, std::string_view b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](char x, char y) { return rank(x) < rank(y); });
}

Status add_pair(std::string_view pair, std::vector<QueryParam>& out) {
    const std::size_t equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value =
        percent_decode(equals == pair.npos ? std::string_view{} : pair.substr(equals + 1), true);
    if (!name || !value) {
        return malformed("The query string contains a malformed percent escape");
    }
    if (name->empty() || name->size() > kMaxParameterName || !is_xml_text(*name)) {
        return malformed("The query string contains a parameter without a usable name");
    }
    if (!is_xml_text(*value)) {
        return Error::api(Code::invalid_argument, "InvalidParameterValue",
                          "The value of " + std::string(shortened(*name, 128)) +
                              " contains characters that are not allowed");
    }
    out.push_back({std::move(*name), std::move(*value)});
    return ok();
}

Status add_pairs(std::string_view text, std::vector<QueryParam>& out) {
    while (!text.empty()) {
        const std::size_t end = text.find('&');
        const std::string_view pair = text.substr(0, end);
        text = end == text.npos ? std::string_view{} : text.substr(end + 1);
        if (pair.empty()) {
            continue;
        }
        if (out.size() == kMaxParameters) {
            return malformed("The request has more than " + std::to_string(kMaxParameters) +
                             " parameters");
        }
        TRY(add_pair(pair, out));
    }
    return ok();
}

}  // namespace

Result<QueryParams> QueryParams::parse(std::string_view query_string, std::string_view body) {
    if (query_string.size() > kMaxQueryBytes || body.size() > kMaxQueryBytes) {
        return malformed("The request is too large");
    }
    QueryParams result;
    TRY(add_pairs(query_string, result.params_));
    TRY(add_pairs(body, result.params_));
    auto& params = result.params_;
    std::sort(params.begin(), params.end(),
              [](const QueryParam& a, const QueryParam& b) { return name_less(a.name, b.name); });
    const auto twice = std::adjacent_find(
        params.begin(), params.end(),
        [](const QueryParam& a, const QueryParam& b) { return a.name == b.name; });
    if (twice != params.end()) {
        return malformed("The parameter " + std::string(shortened(twice->name, 128)) +
                         " is given more than once");
    }
    return result;
}

std::optional<std::string_view> QueryParams::find(std::string_view name) const {
    const auto at = std::lower_bound(
        params_.begin(), params_.end(), name,
        [](const QueryParam& param, std::string_view key) { return name_less(param.name, key); });
    if (at == params_.end() || at->name != name) {
        return std::nullopt;
    }
    return at->value;
}

}  // namespace kiln::api
