// SPDX-License-Identifier: Apache-2.0
// What each service calls the refusals that all of them have: of keys, signatures, permissions and
// rates. EC2 says the same for an unknown key and a wrong signature; the other services tell them
// apart, those of the JSON protocols under names of their own. Thread model: pure functions.
#pragma once

#include <string_view>

#include "api/codec/operation.h"
#include "util/error.h"

namespace kiln::api {

// Refuses a request that is signed for a region which is not one of the server's. `service` is the
// credential scope's.
Error unknown_region(std::string_view region, std::string_view service);
// Any other error stays as it is.
Error as_service_says(Error error, const ServiceInfo& service);
// Whether a code is one of too many requests.
bool is_throttled(std::string_view code);

}  // namespace kiln::api
