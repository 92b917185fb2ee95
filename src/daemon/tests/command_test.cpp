// SPDX-License-Identifier: Apache-2.0
#include "daemon/command.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace kiln::daemon {
namespace {

bool has(const std::vector<std::string>& variables, const std::string& variable) {
    return std::ranges::count(variables, variable) == 1;
}

TEST_CASE("a command gets its own service's address and keys, and nothing that leads elsewhere") {
    const CommandEnvironment own{"/d", "http://127.0.0.1:1", "us-east-1", "KEY", "SECRET"};
    const auto variables = command_environment(
        {"PATH=/bin", "AWS_PROFILE=x", "AWS_ENDPOINT_URL=http://x", "AWS_ENDPOINT_URL_S3=http://x",
         "AWS_SESSION_TOKEN=x", "AWS_REGION=x", "AWS_PAGER=", "AWS_ROLE_ARN=x", "odd"},
        own);
    CHECK(has(variables, "PATH=/bin"));
    CHECK(has(variables, "AWS_PAGER="));
    CHECK(has(variables, "odd"));
    CHECK(has(variables, "AWS_ENDPOINT_URL=http://127.0.0.1:1"));
    CHECK(has(variables, "AWS_ACCESS_KEY_ID=KEY"));
    CHECK(has(variables, "AWS_SECRET_ACCESS_KEY=SECRET"));
    CHECK(has(variables, "AWS_REGION=us-east-1"));
    CHECK(has(variables, "AWS_DEFAULT_REGION=us-east-1"));
    CHECK(has(variables, "AWS_CONFIG_FILE=/d/config"));
    CHECK(has(variables, "AWS_EC2_METADATA_DISABLED=true"));
    CHECK(variables.size() == 11);
}

TEST_CASE("commands are found as a shell finds them") {
    CHECK(*find_command("/bin/sh") == "/bin/sh");
    CHECK(find_command("sh")->ends_with("/sh"));
    CHECK(find_command("no-such-command").error().code() == Code::not_found);
    CHECK(find_command("/etc/passwd").error().code() == Code::permission_denied);
    CHECK(find_command("/etc").error().code() == Code::permission_denied);
}

TEST_CASE("a command's end is told as a shell tells it") {
    const auto run = [](const std::string& script) {
        auto command = Command::start("/bin/sh", {"sh", "-c", script}, {"PATH=/bin:/usr/bin"});
        REQUIRE(command);
        return command->take_exit_code();
    };
    CHECK(run("exit 7") == 7);
    CHECK(run("kill -TERM $$") == 143);
    CHECK(Command::start("/no/such", {"x"}, {}).error().code() == Code::not_found);
}

}  // namespace
}  // namespace kiln::daemon
