// SPDX-License-Identifier: Apache-2.0
#include "cli/account_command.h"

#include <doctest/doctest.h>

using namespace kiln::cli;

TEST_CASE("an account is printed as a profile of a file of credentials") {
    CHECK(profile_text("team-2", "123456789012", "AKIA", "secret/+") ==
          "# account 123456789012\n[team-2]\naws_access_key_id = AKIA\n"
          "aws_secret_access_key = secret/+\n");
}

TEST_CASE("a name that cannot be one of a profile gives way to the account's number") {
    for (const char* name : {"", "two words", "a]\n[default", "team#1", "\xc3\xa4"}) {
        CAPTURE(name);
        CHECK(profile_text(name, "123456789012", "AKIA", "secret").find("[123456789012]\n") !=
              std::string::npos);
    }
}
