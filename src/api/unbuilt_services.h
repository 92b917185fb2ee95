// SPDX-License-Identifier: Apache-2.0
// Requests to services that this server does not have: refused by name, in the form that their
// clients read (WIRE-12). Which form that is shows in the request, since there is no model of the
// service. Thread model: pure functions.
#pragma once

#include <string_view>

#include "api/codec/operation.h"
#include "net/sigv4.h"
#include "util/error.h"

namespace kiln::api {

// No operations and one name for all of them, so that the metrics do not grow with what callers
// make up. `service` is the credential scope's.
ServiceInfo unbuilt_service(const net::SigningRequest& request, std::string_view service);
// UnsupportedOperation.
Error refuse_service(std::string_view service);

}  // namespace kiln::api
