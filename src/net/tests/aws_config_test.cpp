// SPDX-License-Identifier: Apache-2.0
#include "net/aws_config.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "util/fs.h"

using namespace kiln;
using namespace kiln::net;

namespace {

// A home directory with the two files in it.
class Home {
  public:
    Home() {
        char name[] = "/tmp/kiln-aws-config-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path_ = name;
        REQUIRE(make_directories(path_ + "/.aws").has_value());
    }
    ~Home() {
        for (const char* name : {"/.aws/credentials", "/.aws/config", "/other"}) {
            ::unlink((path_ + name).c_str());
        }
        ::rmdir((path_ + "/.aws").c_str());
        ::rmdir(path_.c_str());
    }
    void write(const std::string& name, std::string_view text) {
        REQUIRE(write_file_atomic(path_ + name, text, 0600).has_value());
    }
    const std::string& path() const { return path_; }

    Result<AwsSettings> load(const AwsChoices& choices,
                             std::map<std::string, std::string> env = {}) {
        env.emplace("HOME", path_);
        return load_aws_settings(choices, [&](std::string_view name) -> std::optional<std::string> {
            const auto at = env.find(std::string(name));
            return at == env.end() ? std::nullopt : std::optional<std::string>(at->second);
        });
    }

  private:
    std::string path_;
};

constexpr const char* kCredentials =
    "[default]\n"
    "aws_access_key_id = AKIADEFAULT\n"
    "aws_secret_access_key=secret/default+=\n"
    "\n"
    "[kiln]\n"
    "aws_access_key_id=AKIAKILN\n"
    "aws_secret_access_key = secret#kiln   # a remark\n"
    "aws_session_token = token\n";
constexpr const char* kConfig =
    "# written by hand\n"
    "[default]\n"
    "region = eu-west-1\n"
    "[profile kiln]\r\n"
    "region = us-east-1\r\n"
    "endpoint_url = http://127.0.0.1:4566\r\n"
    "s3 =\r\n"
    "    region = never\r\n"
    "[profile only-config]\n"
    "Region = us-west-2\n"
    "aws_access_key_id = AKIACONFIG\n"
    "aws_secret_access_key = c\n";

}  // namespace

TEST_CASE(
    "a profile's keys come from the credentials file, its region and endpoint from the config "
    "file") {
    Home home;
    home.write("/.aws/credentials", kCredentials);
    home.write("/.aws/config", kConfig);
    const AwsSettings settings = *home.load({.profile = "kiln"});
    CHECK(settings.profile == "kiln");
    CHECK(settings.credentials->access_key_id == "AKIAKILN");
    CHECK(settings.credentials->secret_access_key == "secret#kiln");
    CHECK(settings.credentials->session_token == "token");
    CHECK(settings.region == "us-east-1");
    CHECK(settings.endpoint_url == "http://127.0.0.1:4566");

    const AwsSettings unnamed = *home.load({});
    CHECK(unnamed.profile == "default");
    CHECK(unnamed.credentials->access_key_id == "AKIADEFAULT");
    CHECK(unnamed.credentials->secret_access_key == "secret/default+=");
    CHECK(unnamed.region == "eu-west-1");
    CHECK(unnamed.endpoint_url.empty());

    const AwsSettings config_only = *home.load({}, {{"AWS_PROFILE", "only-config"}});
    CHECK(config_only.credentials->access_key_id == "AKIACONFIG");
    CHECK(config_only.region == "us-west-2");
}

TEST_CASE("the environment outranks the files, and an explicit choice outranks both") {
    Home home;
    home.write("/.aws/credentials", kCredentials);
    home.write("/.aws/config", kConfig);
    const std::map<std::string, std::string> env = {{"AWS_ACCESS_KEY_ID", "AKIAENV"},
                                                    {"AWS_SECRET_ACCESS_KEY", "e"},
                                                    {"AWS_PROFILE", "kiln"},
                                                    {"AWS_REGION", ""},
                                                    {"AWS_DEFAULT_REGION", "ap-south-1"},
                                                    {"AWS_ENDPOINT_URL", "http://all:1"},
                                                    {"AWS_ENDPOINT_URL_EC2", "http://ec2:1"}};
    const AwsSettings from_env = *home.load({}, env);
    CHECK(from_env.credentials->access_key_id == "AKIAENV");
    CHECK(from_env.credentials->session_token.empty());
    CHECK(from_env.region == "ap-south-1");
    CHECK(from_env.endpoint_url == "http://ec2:1");
    const AwsSettings chosen = *home.load(
        {.profile = "default", .region = "eu-north-1", .endpoint_url = "http://chosen:1"}, env);
    CHECK(chosen.credentials->access_key_id == "AKIADEFAULT");
    CHECK(chosen.region == "eu-north-1");
    CHECK(chosen.endpoint_url == "http://chosen:1");
}

TEST_CASE("files can be named by a choice or a variable, and may be missing") {
    Home home;
    CHECK_FALSE(home.load({})->credentials.has_value());
    CHECK_FALSE(load_aws_settings({}, [](std::string_view) {
                    return std::optional<std::string>();
                })->credentials.has_value());
    home.write("/other", kCredentials);
    CHECK(home.load({.credentials_path = home.path() + "/other"})->credentials->access_key_id ==
          "AKIADEFAULT");
    CHECK(home.load({}, {{"AWS_SHARED_CREDENTIALS_FILE", "~/other"}, {"AWS_PROFILE", "kiln"}})
              ->credentials->access_key_id == "AKIAKILN");
}

TEST_CASE(
    "an unknown profile, half a key pair and a malformed file are errors that name the culprit, "
    "never a secret") {
    Home home;
    home.write("/.aws/credentials", kCredentials);
    CHECK(home.load({.profile = "nope"}).error().code() == Code::not_found);
    CHECK(home.load({.profile = "nope"}).error().message().find("'nope'") != std::string::npos);
    const Error half = home.load({}, {{"AWS_SECRET_ACCESS_KEY", "hidden"}}).error();
    CHECK(half.code() == Code::invalid_argument);
    CHECK(half.message().find("hidden") == std::string::npos);
    home.write("/.aws/config", "[default]\nregion = x\nhidden words\n");
    const Error malformed = home.load({}).error();
    CHECK(malformed.message().find("/.aws/config: line 3") != std::string::npos);
    CHECK(malformed.message().find("hidden") == std::string::npos);
}

TEST_CASE("parse_aws_file refuses settings without section and unfinished sections") {
    CHECK(parse_aws_file("").has_value());
    CHECK(parse_aws_file("; remark\n# remark\n\n").has_value());
    CHECK(parse_aws_file("\xEF\xBB\xBF[a]\nx=1\nx=2")->at("a").at("x") == "2");
    CHECK(parse_aws_file("x = 1\n").error().message().starts_with("line 1: "));
    CHECK_FALSE(parse_aws_file("[a\n").has_value());
    CHECK_FALSE(parse_aws_file("[ ]\n").has_value());
    CHECK_FALSE(parse_aws_file("[a]\n= 1\n").has_value());
}
