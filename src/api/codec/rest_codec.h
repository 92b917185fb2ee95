// SPDX-License-Identifier: Apache-2.0
// The REST codec: requests and responses of the services that speak REST with JSON (ebs), by the
// operation's descriptors (ED-1). What is asked for stands in the method and the path; members
// stand in the path, in the query, in headers, and in a body that is JSON or one member's bytes.
//
// A path no operation has is UnknownOperationException. A member that is missing or no such value
// is ValidationException, a body that is no JSON object SerializationException. Parameters of the
// query and headers that no member has are passed over, as these services do. On error the
// request's content is unspecified.
//
// An Error's code may carry a reason after a colon, "ValidationException:INVALID_BLOCK"; codes that
// other services of this program use are answered as the ones that this protocol has (ED-2).
// Thread model: pure functions.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/codec/operation.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::api {

struct RestRequest {
    std::string_view query;  // encoded, as everywhere below the door
    std::function<std::optional<std::string_view>(std::string_view name)> header;
    ByteView body;
};

// An operation, and what its path says: by label, decoded.
struct RestRoute {
    const OperationInfo* operation = nullptr;
    std::vector<std::pair<std::string_view, std::string>> labels{};
};

struct RestAnswer {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string_view content_type{};
    Bytes body{};
};

Result<RestRoute> find_route(const ServiceInfo& service, std::string_view method,
                             std::string_view path);
// The member that is the body of the operation's requests; null when none is.
const MemberInfo* payload_of(const OperationInfo& operation);
// `request` is a default-constructed struct of the type `route.operation->request` describes.
Status parse_rest_request(const RestRoute& route, const RestRequest& http, void* request);
// `response` is a struct of the type `operation.response` describes. A member that is the body is
// moved out of it.
RestAnswer write_rest_response(const OperationInfo& operation, void* response);

struct RestError {
    std::string code;
    std::string reason;  // empty: none
    std::string message;
    int http_status = 400;
};
RestError to_rest_error(const Error& error);
RestAnswer write_rest_error(const RestError& error);

}  // namespace kiln::api
