// SPDX-License-Identifier: Apache-2.0
// Disks on their way through HTTP bodies: in as raw bytes or extent streams, out as extent streams
// (docs/formats/extent-stream.md). Thread model: one owner thread each, blocking.
#pragma once

#include "control/disk_exports.h"
#include "control/imports.h"
#include "net/extent_stream.h"
#include "net/http_server.h"

namespace kiln::api {

// Gives an import what a request's body holds.
class DiskIntake {
  public:
    DiskIntake(control::Import& import, bool extents)
        : import_(import), decoder_(import.size_bytes()), extents_(extents) {}
    Status take(ByteView piece);
    Status finish();

  private:
    control::Import& import_;
    net::ExtentDecoder decoder_;
    const bool extents_;
};

// Answers with the whole disk. After an error the answer is cut off, which the client sees.
Status send_disk(control::DiskExport& disk, net::ResponseWriter& response, Deadline deadline);

}  // namespace kiln::api
