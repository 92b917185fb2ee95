// SPDX-License-Identifier: Apache-2.0
// Sends what a verification finds, as lines of JSON while it runs:
//
//   {"type": "progress", "id", "checkedBytes", "sizeBytes"}     about twice a second
//   {"type": "result", "id", "device", "sizeBytes", "checkedBytes", "checkedChunks",
//    "checkedNodes", "checkedBlocks", "rootDigest", "damagedRanges", "damage": [{"content",
//    "offset", "length", "part", "id", "pack", "packOffset", "layer", "why"}]}
//   {"type": "error", "code", "message"}                        ends it
//   {"type": "end", "damaged"}                                  the last line of a whole answer
//
// A client that goes away ends the verification. Thread model: blocking, one thread per answer.
#pragma once

#include "control/verifications.h"
#include "net/http_server.h"

namespace kiln::api {

Status send_verification(control::Verifications& verifications,
                         const std::vector<control::VerifyTarget>& targets,
                         net::ResponseWriter& response, Deadline deadline);

}  // namespace kiln::api
