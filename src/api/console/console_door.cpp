// SPDX-License-Identifier: Apache-2.0
#include "api/console/console_door.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "util/log.h"

namespace kiln::api {
namespace {

using nlohmann::json;

constexpr std::string_view kRoot = "/console/";
constexpr std::string_view kSession = "/console/session";
constexpr std::chrono::seconds kAnswerTime{60};
constexpr std::size_t kMaxSessionBody = 4096;
// Styles: the components set them on elements; everything else comes from files of this server.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' "
    "data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
    "'none'";

bool is_read(const net::HttpRequest& request) {
    return request.method == "GET" || request.method == "HEAD";
}

void send(net::ResponseWriter& response, int status, std::string_view type, ByteView body) {
    response.set_status(status);
    if (!type.empty()) {
        response.headers().set("Content-Type", type);
    }
    const Status sent = response.send(body, Deadline::after(kAnswerTime));
    if (!sent) {
        log_debug("console", "an answer was not delivered: " + sent.error().to_string());
    }
}

void redirect(net::ResponseWriter& response) {
    response.headers().set("Location", kRoot);
    send(response, 302, "", {});
}

void refuse(net::ResponseWriter& response, int status, std::string_view text) {
    send(response, status, "text/plain; charset=utf-8", as_bytes(text));
}

}  // namespace

bool ConsoleDoor::is_for_console(const net::HttpRequest& request) {
    if (request.path == "/console" || request.path.starts_with(kRoot)) {
        return true;
    }
    // A person who typed the server's address. API clients sign, or name an action.
    return is_read(request) && request.path == "/" && request.query.empty() &&
           !request.headers.has("Authorization") &&
           request.headers.get("Accept").value_or("").find("text/html") != std::string_view::npos;
}

void ConsoleDoor::handle(const net::HttpRequest& request, net::BodyReader& body,
                         net::ResponseWriter& response) {
    if (request.path == kSession) {
        open_session(request, body, response);
    } else if (!is_read(request)) {
        response.headers().set("Allow", "GET, HEAD");
        refuse(response, 405, "The console's files are read with GET.\n");
    } else if (!request.path.starts_with(kRoot)) {
        redirect(response);
    } else {
        send_file(request, response);
    }
}

void ConsoleDoor::send_file(const net::HttpRequest& request, net::ResponseWriter& response) {
    if (files_.empty()) {
        refuse(response, 404, "This kiln was built without its web console (KILN_CONSOLE=OFF).\n");
        return;
    }
    std::string_view path = std::string_view(request.path).substr(kRoot.size());
    path = path.empty() ? "index.html" : path;
    const auto file = std::lower_bound(
        files_.begin(), files_.end(), path,
        [](const ConsoleFile& have, std::string_view wanted) { return have.path < wanted; });
    if (file == files_.end() || file->path != path) {
        refuse(response, 404, "The console has no such file. Its first page is /console/.\n");
        return;
    }
    net::Headers& headers = response.headers();
    headers.set("ETag", file->etag);
    headers.set("Vary", "Accept-Encoding");
    // Names under assets/ hold a hash of what is in them.
    headers.set("Cache-Control",
                path.starts_with("assets/") ? "public, max-age=31536000, immutable" : "no-cache");
    headers.set("Content-Security-Policy", kPolicy);
    headers.set("X-Content-Type-Options", "nosniff");
    headers.set("Referrer-Policy", "no-referrer");
    if (request.headers.get("If-None-Match") == file->etag) {
        send(response, 304, "", {});
        return;
    }
    const bool gzip = request.headers.has_token("Accept-Encoding", "gzip");
    if (gzip) {
        headers.set("Content-Encoding", "gzip");
    }
    send(response, 200, file->type, gzip ? file->gzip : file->plain);
}

void ConsoleDoor::open_session(const net::HttpRequest& request, net::BodyReader& body,
                               net::ResponseWriter& response) {
    response.headers().set("Cache-Control", "no-store");
    if (request.method != "POST") {
        response.headers().set("Allow", "POST");
        refuse(response, 405, "A link's token is sent with POST.\n");
        return;
    }
    const auto keys = redeem(body);
    const int status = keys                                           ? 200
                       : keys.error().code() == Code::unauthenticated ? 403
                       : keys.error().code() == Code::internal        ? 500
                                                                      : 400;
    send(response, status, "application/json",
         as_bytes(keys ? *keys : json{{"message", keys.error().message()}}.dump()));
}

Result<std::string> ConsoleDoor::redeem(net::BodyReader& body) {
    TRY_ASSIGN(const Bytes bytes, body.read_all(kMaxSessionBody, Deadline::after(kAnswerTime)));
    const json sent = json::parse(as_text(bytes), nullptr, /*allow_exceptions=*/false);
    if (!sent.is_object() || !sent.contains("token") || !sent["token"].is_string()) {
        return Error(Code::invalid_argument, "The body is a JSON object with the link's token.");
    }
    const auto guest = links_.redeem(sent["token"].get<std::string>());
    if (!guest) {
        return Error(Code::unauthenticated,
                     "This link was used already, or has expired. kiln web prints a new one.");
    }
    TRY_ASSIGN(const auto owner, accounts_.find_key(guest->access_key_id));
    if (!owner) {
        return Error(Code::unauthenticated, "The access key of this link is no longer active.");
    }
    return json{{"accessKeyId", owner->key.id.str()},
                {"secretAccessKey", owner->key.secret},
                {"region", guest->region}}
        .dump();
}

}  // namespace kiln::api
