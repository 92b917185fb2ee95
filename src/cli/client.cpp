// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "net/aws_config.h"
#include "util/fs.h"
#include "util/strings.h"

namespace kiln::cli {
namespace {

constexpr char kDefaultEndpoint[] = "http://127.0.0.1:4566";
constexpr char kDefaultRegion[] = "us-east-1";
constexpr std::chrono::seconds kCallTime{60};
constexpr std::chrono::hours kDiskTime{24};

std::string environment(const char* name) {
    const auto value = net::process_environment()(name);
    return value.value_or("");
}

// What the service wrote into its data directory at its first start.
Result<net::AwsSettings> settings_of_directory(const std::string& directory,
                                               const ClientChoices& choices) {
    net::AwsChoices aws;
    aws.profile = "kiln";
    aws.region = choices.region;
    aws.endpoint_url = choices.endpoint_url;
    aws.credentials_path = directory + "/credentials";
    aws.config_path = directory + "/config";
    // The directory alone speaks: keys in the environment belong to another service.
    TRY_ASSIGN(net::AwsSettings settings,
               net::load_aws_settings(aws, [](std::string_view) { return std::nullopt; }));
    if (choices.endpoint_url.empty()) {
        if (const auto endpoint = read_file(directory + "/endpoint")) {
            settings.endpoint_url = std::string(trim(*endpoint));
        }
    }
    return settings;
}

Result<net::AwsSettings> find_settings(const ClientChoices& choices) {
    const bool from_environment =
        choices.data_directory.empty() &&
        (!choices.profile.empty() || !environment("AWS_ACCESS_KEY_ID").empty() ||
         !environment("AWS_PROFILE").empty());
    if (from_environment) {
        net::AwsChoices aws;
        aws.profile = choices.profile;
        aws.region = choices.region;
        aws.endpoint_url = choices.endpoint_url;
        return net::load_aws_settings(aws, net::process_environment());
    }
    const std::string directory =
        choices.data_directory.empty() ? default_data_directory() : choices.data_directory;
    return settings_of_directory(directory, choices);
}

Error as_error(const net::ClientResponse& response) {
    const auto document = nlohmann::json::parse(response.body, nullptr, false);
    if (document.is_object() && document.contains("code") && document["code"].is_string() &&
        document.contains("message") && document["message"].is_string()) {
        return Error::api(Code::failed_precondition, document["code"].get<std::string>(),
                          document["message"].get<std::string>());
    }
    return Error(Code::internal, fmt::format("the service answered with status {}: {}",
                                             response.status, response.body.substr(0, 500)));
}

}  // namespace

std::string default_data_directory() {
    if (::geteuid() == 0) {
        return "/var/lib/kiln";
    }
    const std::string data_home = environment("XDG_DATA_HOME");
    return (data_home.empty() ? environment("HOME") + "/.local/share" : data_home) + "/kiln";
}

Client::Client(std::unique_ptr<net::HttpClient> http, net::AwsCredentials credentials,
               std::string endpoint, std::string region)
    : http_(std::move(http)),
      credentials_(std::move(credentials)),
      endpoint_(std::move(endpoint)),
      region_(std::move(region)),
      clock_(io::make_system_clock()) {}

Result<std::unique_ptr<Client>> Client::create(const ClientChoices& choices) {
    auto settings = find_settings(choices);
    if (!settings) {
        return std::move(settings).error().with("reading the client's settings");
    }
    if (!settings->credentials) {
        return Error(Code::unauthenticated,
                     "no access keys found. Give --data DIR of the service, or set AWS_PROFILE or "
                     "AWS_ACCESS_KEY_ID and "
                     "AWS_SECRET_ACCESS_KEY");
    }
    const std::string endpoint =
        settings->endpoint_url.empty() ? kDefaultEndpoint : settings->endpoint_url;
    const std::string region = settings->region.empty() ? kDefaultRegion : settings->region;
    const std::string ca_bundle =
        choices.ca_bundle.empty() ? environment("AWS_CA_BUNDLE") : choices.ca_bundle;
    TRY_ASSIGN(auto http, net::HttpClient::create(endpoint, ca_bundle), "endpoint " + endpoint);
    return std::unique_ptr<Client>(
        new Client(std::move(http), *settings->credentials, endpoint, region));
}

void Client::sign(net::ClientRequest& request) const {
    const auto question = request.target.find('?');
    const std::string path = request.target.substr(0, question);
    const std::string query =
        question == std::string::npos ? "" : request.target.substr(question + 1);
    request.headers.set("Host", http_->host_header());
    net::sign(credentials_, region_, "kiln", clock_->now(), request.method, path, query,
              net::kUnsignedPayload, request.headers);
}

Result<std::string> Client::send(net::ClientRequest request, std::chrono::seconds time) {
    sign(request);
    TRY_ASSIGN(net::ClientResponse response, http_->send(request, Deadline::after(time)),
               "calling " + endpoint_);
    if (response.status / 100 != 2) {
        return as_error(response);
    }
    return std::move(response.body);
}

Result<std::unique_ptr<net::Tunnel>> Client::open_tunnel(const std::string& target) {
    net::ClientRequest request;
    request.target = target;
    sign(request);
    TRY_ASSIGN(auto upgraded, http_->upgrade(request, "kiln-tunnel", Deadline::after(kCallTime)),
               "calling " + endpoint_);
    if (!upgraded.tunnel) {
        return as_error(upgraded.response);
    }
    return std::move(upgraded.tunnel);
}

Result<std::string> Client::call(const std::string& method, const std::string& target,
                                 const std::string& body) {
    net::ClientRequest request;
    request.method = method;
    request.target = target;
    request.body = as_bytes(body);
    return send(std::move(request), kCallTime);
}

Result<std::string> Client::upload(const std::string& target, std::uint64_t length,
                                   net::BodySource source) {
    net::ClientRequest request;
    request.method = "POST";
    request.target = target;
    request.length = length;
    request.source = std::move(source);
    return send(std::move(request), kDiskTime);
}

Status Client::download(const std::string& target, const net::BodySink& sink) {
    net::ClientRequest request;
    request.target = target;
    sign(request);
    Status taken = ok();
    const auto take = [&](ByteView data) {
        taken = sink(data);
        return taken;
    };
    const auto response = http_->send(request, Deadline::after(kDiskTime), take);
    TRY(std::move(taken));  // not an error of the call
    if (!response) {
        return Error(response.error()).with("calling " + endpoint_);
    }
    return response->status / 100 == 2 ? ok() : Status(as_error(*response));
}

}  // namespace kiln::cli
