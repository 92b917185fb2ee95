// SPDX-License-Identifier: Apache-2.0
// Services: the use cases the doors of the API call.
// Thread model: references to thread-safe objects that outlive the doors.
#pragma once

#include "control/accounts.h"
#include "control/images.h"
#include "control/imports.h"
#include "control/inspector.h"
#include "control/instances.h"
#include "control/networks.h"
#include "control/security_groups.h"
#include "control/topology.h"

namespace kiln::api {

struct Services {
    control::Accounts& accounts;
    control::Images& images;
    control::Instances& instances;
    control::Imports& imports;
    control::Inspector& inspector;
    control::Networks& networks;
    control::SecurityGroups& security_groups;
    const control::Topology& topology;
};

}  // namespace kiln::api
