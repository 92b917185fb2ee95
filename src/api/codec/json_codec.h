// SPDX-License-Identifier: Apache-2.0
// The JSON codec: request and response structs of the services that speak JSON 1.1 (ssm), by the
// operation's descriptors (WIRE-11). Members that do not stand in the body (rest_codec.h) are
// passed over, but for the check that what is required is there.
//
// Members that are null are absent. A member the descriptors do not know, a required one that is
// absent and a value outside an enumeration are ValidationException; text that is no JSON object
// and values of another type are SerializationException. Times are seconds since 1970, blobs
// Base64. On error the request's content is unspecified. Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/codec/errors.h"
#include "api/codec/operation.h"
#include "util/result.h"

namespace kiln::api {

inline constexpr std::string_view kJsonContentType = "application/x-amz-json-1.1";

// `request` is a default-constructed struct of the type `operation.request` describes. An empty
// body is a request without members.
Status parse_json_request(const OperationInfo& operation, std::string_view body, void* request);
// `response` is a struct of the type `operation.response` describes; ignored where that is null.
std::string write_json_response(const OperationInfo& operation, const void* response);

// The same for a text of the service's own, by the descriptors of any struct. What was given empty
// and is neither a plain text nor a list is left out, as if it were absent. Members stand in the
// model's order: equal structs give equal texts.
std::string write_json(const StructInfo& info, const void* object);
// data_loss when it is nothing write_json could have written.
Status parse_json(const StructInfo& info, std::string_view text, void* object);

std::string write_json_error(const WireError& error);

}  // namespace kiln::api
