// SPDX-License-Identifier: Apache-2.0
#include "api/codec/rest_codec.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/codec/errors.h"
#include "api/codec/json_codec.h"
#include "api/codec/query_params.h"
#include "api/codec/text.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::api {
namespace {

constexpr std::size_t kMaxEcho = 255;
constexpr std::size_t kMaxSegments = 8;
constexpr std::string_view kRestJsonType = "application/json";
constexpr std::string_view kBytesType = "application/octet-stream";

Error violated(const MemberInfo& member, std::string_view value, std::string_view rule) {
    std::string message = "1 validation error detected: Value ";
    if (member.sensitive) {
        message += "given";
    } else {
        message.append("'").append(shortened(value, kMaxEcho)).append("'");
    }
    message.append(" at '").append(member.query_name);
    message.append("' failed to satisfy constraint: ").append(rule);
    return Error::api(Code::invalid_argument, "ValidationException", std::move(message));
}

// "/a/b" is a and b; nothing for what is no path of a few parts.
std::optional<std::vector<std::string_view>> segments(std::string_view path) {
    if (!path.starts_with('/')) {
        return std::nullopt;
    }
    std::vector<std::string_view> parts;
    for (std::size_t at = 1; at <= path.size();) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        parts.push_back(path.substr(at, end - at));
        if (parts.size() > kMaxSegments) {
            return std::nullopt;
        }
        at = end + 1;
    }
    return parts;
}

bool is_label(std::string_view part) {
    return part.starts_with('{') && part.ends_with('}');
}

// Nothing when the path is another one.
std::optional<std::vector<std::pair<std::string_view, std::string>>> match(
    const std::vector<std::string_view>& pattern, const std::vector<std::string_view>& path) {
    if (pattern.size() != path.size()) {
        return std::nullopt;
    }
    std::vector<std::pair<std::string_view, std::string>> labels;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (!is_label(pattern[i])) {
            if (pattern[i] != path[i]) {
                return std::nullopt;
            }
            continue;
        }
        auto value = percent_decode(path[i], false);
        if (!value || value->empty()) {
            return std::nullopt;
        }
        labels.emplace_back(pattern[i].substr(1, pattern[i].size() - 2), std::move(*value));
    }
    return labels;
}

Status take_string(const MemberInfo& member, std::string_view text, void* into) {
    if (!is_xml_text(text)) {
        return violated(member, "", "Member must be text without control characters");
    }
    const EnumInfo* allowed = member.type.values;
    if (allowed != nullptr &&
        std::find(allowed->values.begin(), allowed->values.end(), text) == allowed->values.end()) {
        std::string rule = "Member must satisfy enum value set: [";
        for (const std::string_view one : allowed->values) {
            rule.append(rule.back() == '[' ? "" : ", ").append(one);
        }
        return violated(member, text, rule + "]");
    }
    *static_cast<std::string*>(into) = text;
    return ok();
}

template <class T>
Status take_integer(const MemberInfo& member, std::string_view text, void* into) {
    const auto number = parse_int<T>(text);
    if (!number) {
        return violated(member, text, "Member must be an integer in range");
    }
    *static_cast<T*>(into) = *number;
    return ok();
}

// A member that stands outside the body.
Status take(const MemberInfo& member, std::string_view text, void* request) {
    void* const into = make_value(member, request);
    switch (member.type.kind) {
        case Kind::string:
            return take_string(member, text, into);
        case Kind::integer:
            return take_integer<std::int32_t>(member, text, into);
        case Kind::long_:
            return take_integer<std::int64_t>(member, text, into);
        case Kind::boolean:
            if (text != "true" && text != "false") {
                return violated(member, text, "Member must be true or false");
            }
            *static_cast<bool*>(into) = text == "true";
            return ok();
        default:
            return violated(member, "", "Member has a type that stands in bodies alone");
    }
}

// What the request says of a member outside the body; nothing when it does not.
Result<std::optional<std::string>> find_value(const MemberInfo& member, const RestRoute& route,
                                              const QueryParams& query, const RestRequest& http) {
    std::optional<std::string> found;
    if (member.location == Location::label) {
        for (const auto& label : route.labels) {
            if (label.first == member.query_name) {
                found = label.second;
            }
        }
    } else if (member.location == Location::query) {
        found = query.find(member.query_name);
    } else if (member.location == Location::header && http.header) {
        found = http.header(member.query_name);
    }
    return found;
}

std::string text_of(const TypeInfo& type, const void* value) {
    switch (type.kind) {
        case Kind::string:
            return *static_cast<const std::string*>(value);
        case Kind::integer:
            return std::to_string(*static_cast<const std::int32_t*>(value));
        case Kind::long_:
            return std::to_string(*static_cast<const std::int64_t*>(value));
        case Kind::boolean:
            return *static_cast<const bool*>(value) ? "true" : "false";
        default:
            return {};
    }
}

struct Row {
    std::string_view code;
    int status;
    std::string_view reason;  // unless the error has one
};

// What a client of these services knows (ED-2), and what every service of the protocol may say.
constexpr Row kErrors[] = {
    {"AccessDeniedException", 403, "UNAUTHORIZED_ACCOUNT"},
    {"ConcurrentLimitExceededException", 400, ""},
    {"ConflictException", 409, ""},
    {"ExpiredTokenException", 403, ""},
    {"IncompleteSignatureException", 403, ""},
    {"InternalServerException", 500, ""},
    {"InvalidSignatureException", 403, ""},
    {"MissingAuthenticationTokenException", 403, ""},
    {"RequestThrottledException", 400, "ACCOUNT_THROTTLED"},
    {"ResourceNotFoundException", 404, "SNAPSHOT_NOT_FOUND"},
    {"SerializationException", 400, ""},
    {"ServiceQuotaExceededException", 402, ""},
    {"UnknownOperationException", 404, ""},
    {"UnrecognizedClientException", 403, ""},
    {"ValidationException", 400, "INVALID_PARAMETER_VALUE"},
};

// The name this protocol has for a code of the others.
std::string_view own_name(std::string_view code) {
    if (code == "MissingAuthenticationToken") {
        return "MissingAuthenticationTokenException";
    }
    if (code == "IncompleteSignature") {
        return "IncompleteSignatureException";
    }
    if (code == "RequestExpired") {
        return "InvalidSignatureException";
    }
    if (code == "UnsupportedOperation") {
        return "UnknownOperationException";
    }
    if (code == "RequestLimitExceeded") {
        return "RequestThrottledException";
    }
    return http_status(code) >= 500 ? "InternalServerException" : "ValidationException";
}

}  // namespace

Result<RestRoute> find_route(const ServiceInfo& service, std::string_view method,
                             std::string_view path) {
    const auto parts = segments(path);
    for (const OperationInfo& operation : service.operations) {
        if (!parts || operation.http.method != method) {
            continue;
        }
        const auto pattern = segments(operation.http.path);
        auto labels = pattern ? match(*pattern, *parts) : std::nullopt;
        if (labels) {
            return RestRoute{&operation, std::move(*labels)};
        }
    }
    return Error::api(Code::not_found, "UnknownOperationException",
                      "No operation has this method and path.");
}

const MemberInfo* payload_of(const OperationInfo& operation) {
    const auto& members = operation.request->members;
    const auto found = std::find_if(members.begin(), members.end(), [](const MemberInfo& member) {
        return member.location == Location::payload;
    });
    return found == members.end() ? nullptr : &*found;
}

Status parse_rest_request(const RestRoute& route, const RestRequest& http, void* request) {
    const OperationInfo& operation = *route.operation;
    TRY_ASSIGN(const QueryParams query, QueryParams::parse(http.query, {}));
    for (const MemberInfo& member : operation.request->members) {
        TRY_ASSIGN(const auto value, find_value(member, route, query, http));
        if (value) {
            TRY(take(member, *value, request));
        }
    }
    const MemberInfo* payload = payload_of(operation);
    if (payload != nullptr) {
        *static_cast<Bytes*>(make_value(*payload, request)) =
            Bytes(http.body.begin(), http.body.end());
    }
    // What is required is asked for there, wherever it stands.
    return parse_json_request(operation, payload != nullptr ? "" : as_text(http.body), request);
}

RestAnswer write_rest_response(const OperationInfo& operation, void* response) {
    RestAnswer answer;
    answer.status = operation.http.status;
    answer.content_type = kRestJsonType;
    const MemberInfo* payload = nullptr;
    if (operation.response != nullptr) {
        for (const MemberInfo& member : operation.response->members) {
            if (presence(member, response) != Presence::set) {
                continue;
            }
            if (member.location == Location::header) {
                answer.headers.emplace_back(member.query_name,
                                            text_of(member.type, value_of(member, response)));
            } else if (member.location == Location::payload) {
                payload = &member;
            }
        }
    }
    if (payload != nullptr) {
        answer.content_type = kBytesType;
        answer.body = std::move(*static_cast<Bytes*>(value_of(*payload, response)));
        return answer;
    }
    const std::string json = write_json_response(operation, response);
    answer.body.assign(json.begin(), json.end());
    return answer;
}

RestError to_rest_error(const Error& error) {
    RestError out;
    if (!error.has_api_code()) {
        out.code = "InternalServerException";
        out.message = "An internal error has occurred";
        out.http_status = 500;
        return out;
    }
    const std::string_view whole = error.api_code();
    const std::size_t colon = std::min(whole.find(':'), whole.size());
    const auto row_of = [](std::string_view code) {
        return std::find_if(std::begin(kErrors), std::end(kErrors),
                            [code](const Row& row) { return row.code == code; });
    };
    auto row = row_of(whole.substr(0, colon));
    if (row == std::end(kErrors)) {
        row = row_of(own_name(whole));
    }
    out.code = row->code;
    out.reason = colon < whole.size() ? whole.substr(colon + 1) : row->reason;
    out.message = error.message();
    out.http_status = row->status;
    return out;
}

RestAnswer write_rest_error(const RestError& error) {
    nlohmann::ordered_json json{{"Message", error.message}};
    if (!error.reason.empty()) {
        json["Reason"] = error.reason;
    }
    // Bytes that are no UTF-8 become U+FFFD, as in XML.
    const std::string text =
        json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    RestAnswer answer;
    answer.status = error.http_status;
    answer.headers.emplace_back("x-amzn-ErrorType", error.code);
    answer.content_type = kRestJsonType;
    answer.body.assign(text.begin(), text.end());
    return answer;
}

}  // namespace kiln::api
