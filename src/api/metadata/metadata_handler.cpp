// SPDX-License-Identifier: Apache-2.0
#include "api/metadata/metadata_handler.h"

#include <fmt/format.h>

#include <algorithm>

#include "util/log.h"

namespace kiln::api {
namespace {

constexpr std::string_view kTtlHeader = "X-aws-ec2-metadata-token-ttl-seconds";
constexpr std::string_view kTokenHeader = "X-aws-ec2-metadata-token";
constexpr std::string_view kForwardedHeader = "X-Forwarded-For";

struct Reason {
    int status;
    std::string_view text;
};
constexpr Reason kReasons[] = {
    {400, "Bad Request"},         {401, "Unauthorized"},       {403, "Forbidden"},
    {404, "Not Found"},           {405, "Method Not Allowed"}, {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

std::string page(int status) {
    std::string_view text = "Error";
    for (const Reason& reason : kReasons) {
        text = reason.status == status ? reason.text : text;
    }
    return fmt::format(R"(<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{0} - {1}</title>
 </head>
 <body>
  <h1>{0} - {1}</h1>
 </body>
</html>
)",
                       status, text);
}

bool is_token_path(const std::vector<std::string>& path) {
    return path.size() == 3 && path[0] == "latest" && path[1] == "api" && path[2] == "token";
}

std::string version_list() {
    std::string text;
    for (const std::string_view version : control::metadata_versions()) {
        text += text.empty() ? "" : "\n";
        text += version;
    }
    return text;
}

bool is_version(std::string_view name) {
    const auto versions = control::metadata_versions();
    return std::find(versions.begin(), versions.end(), name) != versions.end();
}

}  // namespace

net::CannedResponse MetadataHandler::error_page(int status) {
    return {.status = status, .headers = {{"Content-Type", "text/html"}}, .body = page(status)};
}

MetadataHandler::Answer MetadataHandler::refuse(int status) {
    Answer answer{status, page(status), "text/html", {}};
    if (status == 405) {
        answer.headers.set("Allow", "GET, HEAD, PUT");
    }
    return answer;
}

void MetadataHandler::handle(const net::HttpRequest& request, net::ResponseWriter& response) {
    const Answer made = answer(request);
    response.set_status(made.status);
    response.headers() = made.headers;
    response.headers().set("Content-Type", made.content_type);
    response.headers().set("Server", "EC2ws");
    const Status sent = response.send(as_bytes(made.body));
    static_cast<void>(sent);  // the guest went away: nobody is left to tell
}

MetadataHandler::Answer MetadataHandler::answer(const net::HttpRequest& request) {
    const auto instance = metadata_.instance(model::InstanceId(request.listener));
    if (!instance) {
        log_error("metadata", request.listener + ": " + instance.error().to_string());
        return refuse(instance.error().code() == Code::unavailable ? 503 : 500);
    }
    if (!instance->metadata_options.endpoint_enabled) {
        return refuse(403);
    }
    const auto path = control::split_metadata_path(request.path);
    if (!path) {
        return refuse(400);
    }
    if (request.method == "PUT") {
        return issue_token(*instance, request, *path);
    }
    if ((request.method != "GET" && request.method != "HEAD") || is_token_path(*path)) {
        return refuse(405);
    }
    return read(*instance, request, *path);
}

// A request that came through a proxy is refused: an open one in the guest would hand tokens out.
MetadataHandler::Answer MetadataHandler::issue_token(const model::Instance& instance,
                                                     const net::HttpRequest& request,
                                                     const std::vector<std::string>& path) {
    if (!is_token_path(path) || request.headers.has(kForwardedHeader)) {
        return refuse(403);
    }
    const auto given = request.headers.all(kTtlHeader);
    const auto ttl = given.size() == 1 ? control::parse_token_ttl(given[0]) : std::nullopt;
    if (!ttl) {
        return refuse(400);
    }
    Answer answer;
    answer.body = metadata_.tokens().issue(instance, *ttl);
    answer.headers.set(kTtlHeader, std::to_string(ttl->count()));
    return answer;
}

MetadataHandler::Answer MetadataHandler::read(const model::Instance& instance,
                                              const net::HttpRequest& request,
                                              const std::vector<std::string>& path) {
    const auto given = request.headers.all(kTokenHeader);
    if (given.empty() && !instance.metadata_options.tokens_required) {
        return find(instance, path);
    }
    const auto left =
        given.size() == 1 ? metadata_.tokens().remaining(instance, given[0]) : std::nullopt;
    if (!left) {
        return refuse(401);
    }
    Answer answer = find(instance, path);
    answer.headers.set(kTtlHeader, std::to_string(left->count()));
    return answer;
}

MetadataHandler::Answer MetadataHandler::find(const model::Instance& instance,
                                              const std::vector<std::string>& path) {
    Answer answer;
    if (path.empty()) {
        answer.body = version_list();
        return answer;
    }
    if (!is_version(path[0])) {
        return refuse(404);
    }
    const auto below = std::span(path).subspan(1);
    auto found = metadata_.find(instance, below);
    if (!found) {
        log_error("metadata", instance.id.str() + ": " + found.error().to_string());
        return refuse(found.error().code() == Code::unavailable ? 503 : 500);
    }
    if (!*found) {
        return refuse(404);
    }
    answer.body = std::move((*found)->text);
    if (below.size() == 1 && below[0] == "user-data") {  // IMDS-9
        answer.content_type = "application/octet-stream";
    }
    return answer;
}

}  // namespace kiln::api
