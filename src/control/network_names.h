// SPDX-License-Identifier: Apache-2.0
// The names that follow from other facts of the network records (NET-5).
// Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "model/ids.h"

namespace kiln::control {

// "arn:aws:ec2:us-east-1:111111111111:subnet/subnet-..."
std::string arn(std::string_view region, const model::AccountId& owner, std::string_view type,
                std::string_view id);

// An id of a thing that exists as long as another and is never asked for by itself: the digits of
// that other's id under another prefix. derived_id("eni-attach", "eni-0a1...") =
// "eni-attach-0a1..."
std::string derived_id(std::string_view prefix, std::string_view id);

}  // namespace kiln::control
