// SPDX-License-Identifier: Apache-2.0
// The XML writer: response structs and errors to the bodies of the ec2 and query protocols (WIRE-5,
// WIRE-6, TIME-1).
//
// Members are written in the order of the model, absent ones left out; a list that was given empty
// is an empty element. Text is escaped; characters XML cannot carry become U+FFFD. Thread model:
// pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/codec/errors.h"
#include "api/codec/operation.h"

namespace kiln::api {

inline constexpr std::string_view kXmlContentType = "text/xml;charset=UTF-8";  // WIRE-7

// `response` is a struct of the type `operation.response` describes; ignored where that is null.
std::string write_response(const OperationInfo& operation, const void* response,
                           std::string_view request_id);
std::string write_error(const ServiceInfo& service, const WireError& error,
                        std::string_view request_id);

}  // namespace kiln::api
