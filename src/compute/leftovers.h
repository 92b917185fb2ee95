// SPDX-License-Identifier: Apache-2.0
// Ends what a service has left running, by the runtime records in its instances directory alone:
// for a store that is about to be thrown away, whose service may be gone.
//
// Errors: the first that was met; the others are ended all the same. Thread model: pure function
// over processes and files; no service may use the directory at that time.
#pragma once

#include <string>

#include "util/deadline.h"
#include "util/result.h"

namespace kiln::compute {

// Kills machines and network processes, and waits until they are gone. What has a record and is
// another process by now is left alone. A directory that does not exist has none.
Status end_recorded_processes(const std::string& instances_directory, Deadline deadline);

}  // namespace kiln::compute
