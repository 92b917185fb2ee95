// SPDX-License-Identifier: Apache-2.0
// The query parser: fills a generated request struct from parameters by the operation's descriptors
// (WIRE-1 to WIRE-4).
//
// List indexes start at 1, may have gaps and any order; items are kept in index order. Names are
// case-sensitive, and a name the descriptors do not know is UnknownParameter at any depth. A
// required member that is absent, or empty where an empty value means absent, is MissingParameter.
// Values of the wrong type are InvalidParameterValue. `Action`, `Version` and the parameters of a
// presigned request are passed over. On error the struct's content is unspecified. Thread model:
// pure functions.
#pragma once

#include "api/codec/operation.h"
#include "api/codec/query_params.h"
#include "util/result.h"

namespace kiln::api {

// `request` is a default-constructed struct of the type `operation.request` describes.
Status parse_request(const OperationInfo& operation, const QueryParams& params, void* request);

}  // namespace kiln::api
