// SPDX-License-Identifier: Apache-2.0
#include "control/filter.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::control;

TEST_CASE("FLT-3: wildcards are anchored, escapable, and '?' is one character") {
    CHECK(wildcard_match("database", "database"));
    CHECK_FALSE(wildcard_match("database", "my-database"));
    CHECK(wildcard_match("*database*", "my-database-1"));
    CHECK(wildcard_match("\\*amazon\\?\\\\", "*amazon?\\"));
    CHECK_FALSE(wildcard_match("\\*amazon\\?\\\\", "xamazon?\\"));
    CHECK(wildcard_match("a?c", "abc"));
    CHECK(wildcard_match("a?c",
                         "a\xC3\xA9"
                         "c"));
    CHECK_FALSE(wildcard_match("a?c", "ac"));
    CHECK(wildcard_match("*", ""));
    CHECK(wildcard_match("", ""));
    CHECK_FALSE(wildcard_match("", "x"));
    CHECK(wildcard_match("a*b*c", "a-b-b-c"));
    CHECK_FALSE(wildcard_match("a*b*c", "a-c-b"));
    CHECK(wildcard_match("2021-09-29T*", "2021-09-29T10:00:00.000Z"));
    CHECK_FALSE(wildcard_match("Database", "database"));
    CHECK(wildcard_match("tail\\", "tail\\"));
}

namespace {
struct Item {
    std::string name;
    std::vector<std::string> devices;
    std::vector<model::Tag> tags;
};
FilterTable<Item> table() {
    return FilterTable<Item>(
        [](const Item& item) -> const std::vector<model::Tag>& { return item.tags; },
        {{"name", [](const Item& item) { return std::vector<std::string>{item.name}; }},
         {"device", [](const Item& item) { return item.devices; }}});
}
}  // namespace

TEST_CASE("FLT-1 FLT-9: filters AND together, values OR, and any element of a list may match") {
    const Item item{"web", {"/dev/sda1", "/dev/sdb"}, {{"Env", "prod"}, {"Empty", ""}}};
    const auto filters = table();
    CHECK(filters.matches({}, item));
    CHECK(filters.matches({{"name", {"db", "web"}}, {"device", {"/dev/sdb"}}}, item));
    CHECK_FALSE(filters.matches({{"name", {"web"}}, {"device", {"/dev/sdc"}}}, item));
    CHECK(filters.matches({{"device", {"/dev/sda1"}}, {"device", {"/dev/sdb"}}}, item));
    CHECK(filters.matches({{"tag:Env", {"p*"}}, {"tag-key", {"Empty"}}}, item));
    CHECK(filters.matches({{"tag:Empty", {""}}}, item));
    CHECK_FALSE(filters.matches({{"tag:env", {"prod"}}}, item));
}

TEST_CASE("FLT-6 FLT-7 FLT-8: an unknown, empty or oversized filter is refused") {
    const auto filters = table();
    CHECK(filters.check({{"name", {"x"}}, {"tag:a", {"b"}}}).has_value());
    CHECK(filters.check({{"nam", {"x"}}}).error().message() == "The filter 'nam' is invalid");
    CHECK(filters.check({{"Name", {"x"}}}).error().api_code() == "InvalidParameterValue");
    CHECK(filters.check({{"name", {}}}).error().api_code() == "InvalidParameterValue");
    CHECK(filters.check({{"", {"x"}}}).error().api_code() == "MissingParameter");
    CHECK(filters.check({{"name", std::vector<std::string>(201, "x")}}).error().api_code() ==
          "FilterLimitExceeded");
    CHECK(filters.check(std::vector<Filter>(51, {"name", {"x"}})).error().api_code() ==
          "FilterLimitExceeded");
    CHECK_FALSE(filters.check({{"name", {std::string(256, 'x')}}}));
    std::string umlauts;  // characters count, not bytes
    for (int i = 0; i < 255; ++i) {
        umlauts += "\xC3\xBC";
    }
    CHECK(filters.check({{"name", {umlauts}}}));
    CHECK_FALSE(filters.check({{"name", {umlauts + 'x'}}}));
}

TEST_CASE("FLT-3: the start of a pattern that has no wildcard is known, escapes resolved") {
    CHECK(literal_start("web").text == "web");
    CHECK(literal_start("web").whole);
    CHECK(literal_start("we\\*b*x").text == "we*b");
    CHECK_FALSE(literal_start("we\\*b*x").whole);
    CHECK(literal_start("?x").text.empty());
    CHECK(literal_start("").whole);
    CHECK(literal_start("a\\").text == "a\\");
    CHECK(*literals({"a", "\\?"}) == std::vector<std::string>{"a", "?"});
    CHECK_FALSE(literals({"a", "b*"}).has_value());
}
