// SPDX-License-Identifier: Apache-2.0
// Filters of the Describe operations (FLT-1 .. FLT-9): `Name` with several values; values of one
// filter are alternatives, several filters must all hold; values may hold wildcards.
//
// A resource kind declares its filters once, as a table from filter name to a function giving the
// attribute's values as text (FLT-4). `tag:<key>`, `tag-key` and `tag-value` are handled here for
// every kind.
//
// Thread model: immutable after construction; matching is a pure function.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/tag.h"
#include "util/result.h"

namespace kiln::control {

struct Filter {
    std::string name;
    std::vector<std::string> values;
};

// FLT-3: `*` any run, `?` exactly one character, `\` makes the next character literal; anchored at
// both ends.
bool wildcard_match(std::string_view pattern, std::string_view text);

// What a pattern says before its first wildcard, escapes resolved; `whole` when it has none. With
// these a filter becomes a condition of the catalog.
struct LiteralStart {
    std::string text;
    bool whole = false;
};
LiteralStart literal_start(std::string_view pattern);
// The texts of all patterns, if none has a wildcard.
std::optional<std::vector<std::string>> literals(const std::vector<std::string>& patterns);

inline constexpr std::size_t kMaxFilters = 50;             // FLT-8
inline constexpr std::size_t kMaxFilterValues = 200;       // FLT-8
inline constexpr std::size_t kMaxFilterValueLength = 255;  // FLT-8: characters

template <class T>
class FilterTable {
  public:
    using Values = std::vector<std::string>;
    using Getter = std::function<Values(const T&)>;
    using TagGetter = std::function<const std::vector<model::Tag>&(const T&)>;

    FilterTable(TagGetter tags, std::map<std::string, Getter, std::less<>> getters)
        : tags_(std::move(tags)), getters_(std::move(getters)) {}

    // FLT-6, FLT-7, FLT-8; call before matching.
    Status check(const std::vector<Filter>& filters) const;
    bool matches(const std::vector<Filter>& filters, const T& item) const;
    // Sorted; without those for tags, which every kind has.
    std::vector<std::string> names() const;

  private:
    Values values_of(const std::string& name, const T& item) const;

    TagGetter tags_;
    std::map<std::string, Getter, std::less<>> getters_;
};

namespace detail {
Status check_filter_shape(const std::vector<Filter>& filters);
Error unknown_filter(const std::string& name);
bool is_tag_filter(std::string_view name);
std::vector<std::string> tag_values(std::string_view name, const std::vector<model::Tag>& tags);
bool any_match(const std::vector<std::string>& patterns, const std::vector<std::string>& values);
}  // namespace detail

template <class T>
Status FilterTable<T>::check(const std::vector<Filter>& filters) const {
    TRY(detail::check_filter_shape(filters));
    for (const Filter& filter : filters) {
        if (!detail::is_tag_filter(filter.name) && getters_.find(filter.name) == getters_.end()) {
            return detail::unknown_filter(filter.name);
        }
    }
    return ok();
}

template <class T>
bool FilterTable<T>::matches(const std::vector<Filter>& filters, const T& item) const {
    for (const Filter& filter : filters) {
        if (!detail::any_match(filter.values, values_of(filter.name, item))) {
            return false;
        }
    }
    return true;
}

template <class T>
std::vector<std::string> FilterTable<T>::names() const {
    std::vector<std::string> names;
    for (const auto& [name, getter] : getters_) {
        names.push_back(name);
    }
    return names;
}

template <class T>
std::vector<std::string> FilterTable<T>::values_of(const std::string& name, const T& item) const {
    if (detail::is_tag_filter(name)) {
        return detail::tag_values(name, tags_(item));
    }
    return getters_.find(name)->second(item);
}

}  // namespace kiln::control
