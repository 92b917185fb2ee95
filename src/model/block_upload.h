// SPDX-License-Identifier: Apache-2.0
// BlockUpload: a pending snapshot whose blocks are being put (ED-3 .. ED-7). The snapshot names the
// content that it will be of; the row goes when the snapshot is completed, in error or deleted.
// Thread model: plain values.
#pragma once

#include <cstdint>

#include "model/ids.h"
#include "util/bytes.h"
#include "util/time.h"

namespace kiln::model {

struct BlockUpload {
    SnapshotId snapshot;
    SnapshotId parent;            // empty: over zeros
    std::int64_t timeout_ms = 0;  // ED-5
    UnixMillis active;            // when something was last put
    bool completing = false;      // nothing is put any more
    friend bool operator==(const BlockUpload&, const BlockUpload&) = default;
};

// A block that was put: `digest` of what was acknowledged, `writing` of what is about to be written
// in its place. Both are SHA-256, or empty.
struct UploadedBlock {
    std::uint64_t index = 0;
    Bytes digest;
    Bytes writing;
    friend bool operator==(const UploadedBlock&, const UploadedBlock&) = default;
};

}  // namespace kiln::model
