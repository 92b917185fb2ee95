// SPDX-License-Identifier: Apache-2.0
// What migration 17 does to the documents of volumes: the one attachment that a document had as
// `attachment` becomes the only item of `attachments`. One owner thread: the session's.
#pragma once

#include "catalog/detail/sql.h"
#include "util/result.h"

namespace kiln::catalog::detail {

// data_loss for a document that cannot be read.
Status list_attachments(SqlSession& session);

}  // namespace kiln::catalog::detail
