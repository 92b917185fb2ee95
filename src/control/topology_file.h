// SPDX-License-Identifier: Apache-2.0
// The topology file (TOP-1, docs/formats/topology.md): regions and zones as JSON, for `kiln serve
// --topology FILE`.
//
//   {"regions": [{"name": "us-east-1",
//                 "zones": [{"name": "us-east-1a", "id": "use1-az1"},
//                           {"name": "us-east-1-bos-1a", "id": "use1-bos1-az1",
//                            "type": "local-zone", "parent": "us-east-1a"}],
//                 "outposts": [{"arn": "arn:aws:outposts:...", "zone": "us-east-1a"}]}]}
//
// Everything is checked before anything is used; an error names the place in the file: line and
// column for what is not JSON, "regions[0].zones[1].id" for what is not a topology.
// Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "control/topology.h"
#include "util/result.h"

namespace kiln::control {

Result<Topology> parse_topology(std::string_view text);
Result<Topology> load_topology(const std::string& path);

}  // namespace kiln::control
