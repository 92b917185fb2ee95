// SPDX-License-Identifier: Apache-2.0
// Imports: a raw disk, streamed in, becomes a sealed layer, a content over it, a completed snapshot
// and an image. Nothing is visible before finish(); an import that does not get there leaves
// nothing behind, also after a kill (clean_up()). Imports is thread-safe; one Import has one owner
// thread. Blocking.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/caller.h"
#include "control/images.h"
#include "control/parts.h"
#include "util/bytes.h"

namespace kiln::control {

struct ImportInput {
    // The image to be; its mapping is made here: the root device over the new snapshot.
    RegisterImageInput image;
    std::uint64_t size_bytes = 0;  // of the raw disk
};

struct Imported {
    model::SnapshotId snapshot_id;
    model::ImageId image_id;
    std::uint32_t volume_size_gib = 0;
    std::uint64_t data_bytes = 0;  // what was not zeros
};

class Import {
  public:
    ~Import();  // abandons it unless finish() succeeded
    Import(const Import&) = delete;
    Import& operator=(const Import&) = delete;

    // The next bytes of the disk, from its beginning to its end.
    Status write(ByteView data);
    // Zeros up to `offset`, a multiple of 4096 (or the end), not before what was written.
    Status skip_to(std::uint64_t offset);
    std::uint64_t size_bytes() const { return input_.size_bytes; }
    Result<Imported> finish();

  private:
    friend class Imports;
    Import(const Parts& parts, Caller caller, ImportInput input, std::function<void()> work_added);
    Status open();
    Status write_blocks(ByteView blocks);
    Status flush_buffer();
    void abandon();

    const Parts parts_;
    const Caller caller_;
    ImportInput input_;
    const std::function<void()> work_added_;
    model::SnapshotId snapshot_id_;
    model::LayerId layer_id_;
    block::VolumeId volume_;
    std::uint32_t size_gib_ = 0;
    std::uint64_t position_ = 0;  // of the buffer's beginning in the disk
    Bytes buffer_;
    std::uint64_t data_bytes_ = 0;
    bool layer_recorded_ = false;
    bool finished_ = false;
};

class Imports {
  public:
    // `work_added` is called after a transaction that queued a job.
    Imports(const Parts& parts, std::function<void()> work_added)
        : parts_(parts), work_added_(std::move(work_added)) {}
    // Refuses what finish() would refuse, as far as it can be known before the bytes.
    Result<std::unique_ptr<Import>> begin(const Caller& caller, ImportInput input);
    // Drops the layers of imports that a killed daemon left. At start, before the API opens.
    Status clean_up();

  private:
    const Parts parts_;
    const std::function<void()> work_added_;
};

}  // namespace kiln::control
