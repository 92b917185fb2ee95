// SPDX-License-Identifier: Apache-2.0
// A backup on its way through an HTTP body (docs/formats/backup.md): what is no hole in its files.
// Thread model: one owner thread, blocking.
#pragma once

#include "control/backups.h"
#include "net/http_server.h"

namespace kiln::api {

// Answers with the whole of it. After an error the answer is cut off, which the client sees.
Status send_backup(const control::Backup& backup, net::ResponseWriter& response, Deadline deadline);

}  // namespace kiln::api
