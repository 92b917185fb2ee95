// SPDX-License-Identifier: Apache-2.0
// DiskExports: the bytes of a snapshot, streamed out: of one named itself, or of the root snapshot
// of an image. Whoever may make a volume of the snapshot may export it (SNP-12); to be allowed to
// launch an image is not enough. A snapshot is read as soon as it is completed, destaged or not.
//
// A snapshot that is deleted while it is exported may end the export with an error, never with
// wrong bytes. DiskExports is thread-safe; one DiskExport has one owner thread. Blocking.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "control/caller.h"
#include "control/content_view.h"
#include "control/parts.h"
#include "model/content.h"
#include "model/image.h"
#include "model/snapshot.h"
#include "util/bytes.h"

namespace kiln::control {

struct ExportableDisk {
    model::SnapshotId snapshot_id;
    model::ContentId content_id;
    std::uint64_t size_bytes = 0;
};

// The snapshot an image boots from, if it has one yet.
std::optional<model::SnapshotId> root_snapshot_of(const model::Image& image);

class DiskExport {
  public:
    DiskExport(const DiskExport&) = delete;
    DiskExport& operator=(const DiskExport&) = delete;

    std::uint64_t size_bytes() const { return size_bytes_; }
    // Everything that is not zeros, ascending, in runs of whole blocks of at most 1 MiB.
    using Sink = std::function<Status(std::uint64_t offset, ByteView data)>;
    Status copy(const Sink& sink);
    // Any part of the disk.
    Status read(std::uint64_t offset, MutableByteView into);

  private:
    friend class DiskExports;
    DiskExport(const Parts& parts, std::unique_ptr<ContentView> view, std::uint64_t size_bytes)
        : parts_(parts), view_(std::move(view)), size_bytes_(size_bytes) {}
    Status copy_range(const block::DataRange& range, const Sink& sink);

    const Parts parts_;
    const std::unique_ptr<ContentView> view_;
    const std::uint64_t size_bytes_;
};

class DiskExports {
  public:
    // `work_added` is called when jobs that waited for an export's end may go on.
    DiskExports(const Parts& parts, std::function<void()> work_added)
        : parts_(parts), work_added_(std::move(work_added)) {}
    // `id` is ami-... or snap-....
    Result<ExportableDisk> find(const Caller& caller, const std::string& id);
    Result<std::unique_ptr<DiskExport>> open(const Caller& caller, const model::SnapshotId& id);

  private:
    const Parts parts_;
    const std::function<void()> work_added_;
};

}  // namespace kiln::control
