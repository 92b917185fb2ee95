// SPDX-License-Identifier: Apache-2.0
#include "control/filter.h"

#include "util/strings.h"

namespace kiln::control {
namespace {

// One pattern element at `at`: a literal (escape resolved), '?' or '*'.
struct Element {
    enum class Kind { literal, one, any } kind;
    char character;
    std::size_t length;
};

Element element_at(std::string_view pattern, std::size_t at) {
    const char c = pattern[at];
    if (c == '*') {
        return {Element::Kind::any, 0, 1};
    }
    if (c == '?') {
        return {Element::Kind::one, 0, 1};
    }
    if (c == '\\' && at + 1 < pattern.size()) {
        return {Element::Kind::literal, pattern[at + 1], 2};
    }
    return {Element::Kind::literal, c, 1};
}

// Length of the UTF-8 character at `at`; 1 for a stray byte. '?' is one character, not one byte.
std::size_t character_length(std::string_view text, std::size_t at) {
    std::size_t end = at + 1;
    if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0xC0) {
        while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
            ++end;
        }
    }
    return end - at;
}

}  // namespace

// Greedy with one point of return: linear in practice, at worst |pattern| x |text|, both bounded by
// FLT-8.
bool wildcard_match(std::string_view pattern, std::string_view text) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star_p = std::string_view::npos;
    std::size_t star_t = 0;
    while (t < text.size()) {
        if (p < pattern.size()) {
            const Element element = element_at(pattern, p);
            if (element.kind == Element::Kind::any) {
                star_p = p + 1;
                star_t = t;
                p = star_p;
                continue;
            }
            if (element.kind == Element::Kind::one) {
                t += character_length(text, t);
                p += element.length;
                continue;
            }
            if (element.character == text[t]) {
                ++t;
                p += element.length;
                continue;
            }
        }
        if (star_p == std::string_view::npos) {
            return false;
        }
        star_t += character_length(text, star_t);
        t = star_t;
        p = star_p;
    }
    while (p < pattern.size() && pattern[p] == '*') {
        ++p;
    }
    return p == pattern.size();
}

LiteralStart literal_start(std::string_view pattern) {
    LiteralStart start;
    for (std::size_t at = 0; at < pattern.size();) {
        const Element element = element_at(pattern, at);
        if (element.kind != Element::Kind::literal) {
            return start;
        }
        start.text += element.character;
        at += element.length;
    }
    start.whole = true;
    return start;
}

std::optional<std::vector<std::string>> literals(const std::vector<std::string>& patterns) {
    std::vector<std::string> texts;
    for (const std::string& pattern : patterns) {
        LiteralStart start = literal_start(pattern);
        if (!start.whole) {
            return std::nullopt;
        }
        texts.push_back(std::move(start.text));
    }
    return texts;
}

namespace detail {

Error unknown_filter(const std::string& name) {
    return Error::api(Code::invalid_argument, "InvalidParameterValue",
                      "The filter '" + name + "' is invalid");
}

Status check_filter_shape(const std::vector<Filter>& filters) {
    if (filters.size() > kMaxFilters) {
        return Error::api(Code::invalid_argument, "FilterLimitExceeded",
                          "The maximum number of filters specified on a single call is 50");
    }
    for (const Filter& filter : filters) {
        if (filter.name.empty()) {
            return Error::api(Code::invalid_argument, "MissingParameter",
                              "The request must contain the parameter Filter.Name");
        }
        if (filter.values.empty()) {
            return Error::api(Code::invalid_argument, "InvalidParameterValue",
                              "The filter '" + filter.name + "' must have at least one value");
        }
        if (filter.values.size() > kMaxFilterValues) {
            return Error::api(
                Code::invalid_argument, "FilterLimitExceeded",
                "The maximum number of filter values specified on a single call is 200");
        }
        for (const std::string& value : filter.values) {
            if (character_count(value) > kMaxFilterValueLength) {
                return Error::api(
                    Code::invalid_argument, "InvalidParameterValue",
                    "A value of the filter '" + filter.name + "' is longer than 255 characters");
            }
        }
    }
    return ok();
}

bool is_tag_filter(std::string_view name) {
    return name == "tag-key" || name == "tag-value" ||
           (name.starts_with("tag:") && name.size() > 4);
}

std::vector<std::string> tag_values(std::string_view name, const std::vector<model::Tag>& tags) {
    std::vector<std::string> values;
    for (const model::Tag& tag : tags) {
        if (name == "tag-key") {
            values.push_back(tag.key);
        } else if (name == "tag-value" || name.substr(4) == tag.key) {
            values.push_back(tag.value);
        }
    }
    return values;
}

bool any_match(const std::vector<std::string>& patterns, const std::vector<std::string>& values) {
    for (const std::string& pattern : patterns) {
        for (const std::string& value : values) {
            if (wildcard_match(pattern, value)) {
                return true;
            }
        }
    }
    return false;
}

}  // namespace detail
}  // namespace kiln::control
