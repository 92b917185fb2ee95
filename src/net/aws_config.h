// SPDX-License-Identifier: Apache-2.0
// The shared configuration of AWS clients: ~/.aws/credentials, ~/.aws/config and the environment
// variables that override them. Our command line reads what `aws` and the SDKs read, so that one
// setting serves both.
//
// Order, as in those clients: an explicit choice, then environment, then the profile in the
// credentials file, then in the config file. Keys from the environment do not mix with keys from a
// file, and a profile chosen explicitly (not by AWS_PROFILE) outranks keys in the environment.
//
// Nothing here reads the process environment: it comes in as a function. Secrets never appear in an
// error. Thread model: pure functions, plain values; load_aws_settings() reads files.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "net/sigv4.h"
#include "util/result.h"

namespace kiln::net {

// The value of an environment variable, or nothing. An empty value counts as absent.
using EnvLookup = std::function<std::optional<std::string>(std::string_view name)>;

// One file: section name as written ("default", "profile kiln") -> key -> value. Keys are lower
// case. Indented sub-settings (`s3 =` and what follows it) are skipped, later keys win, as in the
// clients.
using AwsFile = std::map<std::string, std::map<std::string, std::string>, std::less<>>;
// invalid_argument with the line number: a line that is neither section, setting nor comment.
Result<AwsFile> parse_aws_file(std::string_view text);

// What the user chose on our command line; empty members were not chosen.
struct AwsChoices {
    std::string profile;
    std::string region;
    std::string endpoint_url;
    std::string credentials_path;  // else AWS_SHARED_CREDENTIALS_FILE, else $HOME/.aws/credentials
    std::string config_path;       // else AWS_CONFIG_FILE, else $HOME/.aws/config
};

struct AwsSettings {
    std::string profile;  // the one that was read; "default" when none was named
    std::optional<AwsCredentials> credentials;
    std::string region;        // empty: not set anywhere
    std::string endpoint_url;  // empty: not set anywhere
};

// A missing file is no error, a profile that was named and exists in neither file is not_found;
// half a key pair is invalid_argument.
Result<AwsSettings> load_aws_settings(const AwsChoices& choices, const EnvLookup& env);

// The process environment, for main().
EnvLookup process_environment();

}  // namespace kiln::net
