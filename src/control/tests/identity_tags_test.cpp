// SPDX-License-Identifier: Apache-2.0
#include "control/identity_tags.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::control;

namespace {

using Tags = std::vector<model::Tag>;

std::string code(const Status& status) {
    return status ? "" : status.error().api_code();
}

}  // namespace

TEST_CASE("IAM-29: tags are added, replaced whatever the case of their keys, and taken off") {
    Tags tags{{"team", "red"}, {"env", "test"}};
    CHECK(put_identity_tags(tags, {{"Team", "blue"}, {"owner", ""}}));
    CHECK(tags == Tags{{"env", "test"}, {"Team", "blue"}, {"owner", ""}});
    CHECK(erase_identity_tags(tags, {"ENV", "nothing"}));
    CHECK(tags == Tags{{"Team", "blue"}, {"owner", ""}});
    CHECK(code(put_identity_tags(tags, {})) == "ValidationError");
    CHECK(code(put_identity_tags(tags, {{"aws:x", ""}})) == "InvalidInput");
    CHECK(code(put_identity_tags(tags, {{"a", ""}, {"A", ""}})) == "InvalidInput");
    CHECK(code(erase_identity_tags(tags, {})) == "ValidationError");
    CHECK(code(erase_identity_tags(tags, {""})) == "ValidationError");
    CHECK(code(erase_identity_tags(tags, std::vector<std::string>(51, "a"))) == "ValidationError");
}

TEST_CASE("IAM-29: fifty tags and no more; they are listed in pages, by key") {
    Tags tags;
    for (char a = 'a'; a < 'a' + 10; ++a) {
        for (char b = '0'; b < '0' + 5; ++b) {
            CHECK(put_identity_tags(tags, {{std::string{a, ' ', b}, "v"}}));
        }
    }
    Tags more = tags;
    CHECK(code(put_identity_tags(more, {{"one more", ""}})) == "LimitExceeded");
    CHECK(put_identity_tags(tags, {{"A 0", "w"}}));  // which is there
    IdentityPage page;
    page.max_items = 20;
    Tags seen;
    do {
        const auto found = list_identity_tags(tags, page);
        REQUIRE(found);
        seen.insert(seen.end(), found->tags.begin(), found->tags.end());
        page.marker = found->marker;
    } while (!page.marker.empty());
    REQUIRE(seen.size() == 50);
    CHECK(std::is_sorted(seen.begin(), seen.end(),
                         [](const auto& one, const auto& two) { return one.key < two.key; }));
    CHECK(seen.front() == model::Tag{"A 0", "w"});
    page.max_items = 0;
    CHECK_FALSE(list_identity_tags(tags, page));
    page = {};
    page.marker.assign(129, 'a');
    CHECK_FALSE(list_identity_tags(tags, page));
}
