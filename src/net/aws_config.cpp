// SPDX-License-Identifier: Apache-2.0
#include "net/aws_config.h"

#include <cstdlib>

#include "net/limits.h"
#include "util/fs.h"
#include "util/strings.h"

namespace kiln::net {

namespace {

Error bad_line(std::size_t number, const char* what) {
    return Error(Code::invalid_argument, "line " + std::to_string(number) + ": " + what);
}

// "key = value  # remark": a remark needs white space before its sign, since values may contain
// one.
std::string_view strip_remark(std::string_view value) {
    for (std::size_t i = 1; i < value.size(); ++i) {
        if ((value[i] == '#' || value[i] == ';') && (value[i - 1] == ' ' || value[i - 1] == '\t')) {
            return trim(value.substr(0, i));
        }
    }
    return value;
}

// A missing file is an empty one.
Result<AwsFile> read_aws_file(const std::string& path) {
    if (path.empty()) {
        return AwsFile{};
    }
    Result<std::string> text = read_file(path, kMaxConfigFileBytes);
    if (!text) {
        if (text.error().code() == Code::not_found) {
            return AwsFile{};
        }
        return std::move(text).error();
    }
    TRY_ASSIGN(AwsFile file, parse_aws_file(*text), path);
    return file;
}

const std::map<std::string, std::string>* find_section(const AwsFile& file,
                                                       const std::string& name) {
    const auto at = file.find(name);
    return at == file.end() ? nullptr : &at->second;
}

// The profile's settings from both files, the credentials file's first.
struct Profile {
    const std::map<std::string, std::string>* credentials = nullptr;
    const std::map<std::string, std::string>* config = nullptr;

    std::string get(const std::string& key) const {
        for (const auto* section : {credentials, config}) {
            if (section != nullptr) {
                if (const auto at = section->find(key);
                    at != section->end() && !at->second.empty()) {
                    return at->second;
                }
            }
        }
        return {};
    }
};

class Environment {
  public:
    explicit Environment(const EnvLookup& lookup) : lookup_(lookup) {}
    // The first of `names` that is set and not empty.
    std::string get(std::initializer_list<std::string_view> names) const {
        for (const std::string_view name : names) {
            if (std::optional<std::string> value = lookup_(name); value && !value->empty()) {
                return *value;
            }
        }
        return {};
    }

  private:
    const EnvLookup& lookup_;
};

std::string first_set(std::initializer_list<std::string> values) {
    for (const std::string& value : values) {
        if (!value.empty()) {
            return value;
        }
    }
    return {};
}

// "~/x" as the clients expand it.
std::string expand_home(std::string path, const std::string& home) {
    return path.starts_with("~/") && !home.empty() ? home + path.substr(1) : path;
}

Result<std::optional<AwsCredentials>> key_pair(std::string id, std::string secret,
                                               std::string token, const std::string& where) {
    if (id.empty() && secret.empty()) {
        return std::optional<AwsCredentials>();
    }
    if (id.empty() || secret.empty()) {
        return Error(
            Code::invalid_argument,
            where + " has only one of access key id and secret access key; both are needed");
    }
    return std::optional<AwsCredentials>(
        AwsCredentials{std::move(id), std::move(secret), std::move(token)});
}

}  // namespace

Result<AwsFile> parse_aws_file(std::string_view text) {
    AwsFile file;
    std::map<std::string, std::string>* section = nullptr;
    std::size_t number = 0;
    for (std::string_view line : split(text, '\n')) {
        ++number;
        if (number == 1 && line.starts_with("\xEF\xBB\xBF")) {
            line.remove_prefix(3);  // the byte order mark some editors leave
        }
        const std::string_view content = trim(line);
        if (content.empty() || content.front() == '#' || content.front() == ';') {
            continue;
        }
        if (line.front() == ' ' || line.front() == '\t') {
            continue;  // a sub-setting, or the continuation of a value we have no use for
        }
        if (content.front() == '[') {
            const std::size_t end = content.find(']');
            if (end == content.npos || trim(content.substr(1, end - 1)).empty()) {
                return bad_line(number, "a section is written [name]");
            }
            section = &file[std::string(trim(content.substr(1, end - 1)))];
            continue;
        }
        const std::size_t equals = content.find('=');
        if (equals == content.npos || equals == 0) {
            return bad_line(number, "neither a section, a setting (key = value) nor a remark");
        }
        if (section == nullptr) {
            return bad_line(number, "a setting before the first section");
        }
        (*section)[to_lower(trim(content.substr(0, equals)))] =
            strip_remark(trim(content.substr(equals + 1)));
    }
    return file;
}

Result<AwsSettings> load_aws_settings(const AwsChoices& choices, const EnvLookup& lookup) {
    const Environment env(lookup);
    const std::string home = env.get({"HOME"});
    const std::string directory = home.empty() ? "" : home + "/.aws";
    const std::string in_home = directory.empty() ? "" : directory + "/";
    const auto path_of = [&](const std::string& chosen, const char* variable, const char* name) {
        return expand_home(first_set({chosen, env.get({variable}),
                                      in_home.empty() ? std::string() : in_home + name}),
                           home);
    };
    TRY_ASSIGN(const AwsFile credentials_file,
               read_aws_file(path_of(choices.credentials_path, "AWS_SHARED_CREDENTIALS_FILE",
                                     "credentials")));
    TRY_ASSIGN(const AwsFile config_file,
               read_aws_file(path_of(choices.config_path, "AWS_CONFIG_FILE", "config")));

    AwsSettings out;
    const std::string named =
        first_set({choices.profile, env.get({"AWS_PROFILE", "AWS_DEFAULT_PROFILE"})});
    out.profile = first_set({named, "default"});
    Profile profile{.credentials = find_section(credentials_file, out.profile),
                    .config = find_section(config_file, "profile " + out.profile)};
    if (profile.config == nullptr && out.profile == "default") {
        profile.config = find_section(config_file, "default");
    }
    if (!named.empty() && profile.credentials == nullptr && profile.config == nullptr) {
        return Error(Code::not_found,
                     "the profile '" + named + "' is in neither configuration file");
    }

    out.region = first_set(
        {choices.region, env.get({"AWS_REGION", "AWS_DEFAULT_REGION"}), profile.get("region")});
    out.endpoint_url =
        first_set({choices.endpoint_url, env.get({"AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL"}),
                   profile.get("endpoint_url")});
    if (choices.profile.empty()) {
        TRY_ASSIGN(out.credentials,
                   key_pair(env.get({"AWS_ACCESS_KEY_ID"}), env.get({"AWS_SECRET_ACCESS_KEY"}),
                            env.get({"AWS_SESSION_TOKEN"}), "the environment"));
    }
    for (const auto* section : {profile.credentials, profile.config}) {
        if (!out.credentials && section != nullptr) {
            const Profile one{.credentials = section, .config = nullptr};
            TRY_ASSIGN(out.credentials,
                       key_pair(one.get("aws_access_key_id"), one.get("aws_secret_access_key"),
                                one.get("aws_session_token"), "the profile '" + out.profile + "'"));
        }
    }
    return out;
}

EnvLookup process_environment() {
    return [](std::string_view name) -> std::optional<std::string> {
        const char* const value = std::getenv(std::string(name).c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
}

}  // namespace kiln::net
