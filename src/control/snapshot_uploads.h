// SPDX-License-Identifier: Apache-2.0
// SnapshotUploads: snapshots that are written block by block (ED-3 .. ED-7). A pending one is a
// content over its parent's whose layer is still open: the active layer of a volume nobody else
// sees, which takes the blocks in any order and is sealed when the snapshot is completed.
//
// Which blocks were put is kept in the catalog. A block is noted before it is written, with what it
// will be, and again when it is on the medium, before it is acknowledged. So a service that is
// killed keeps what it acknowledged, and complete() can tell a block whose writing was cut short:
// it is as if it had not been put, and what was below it is there again.
//
// One job per upload, kUploadJob, ends what nobody goes on with (ED-5), seals what is completed and
// clears away what was deleted. Errors: ebs_errors.h. Thread-safe, blocking.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/job_runner.h"
#include "control/parts.h"
#include "crypto/hash.h"
#include "model/block_upload.h"
#include "model/content.h"
#include "model/snapshot.h"
#include "model/tag.h"
#include "util/mutex.h"

namespace kiln::control {

inline constexpr char kUploadJob[] = "snapshot.upload";

struct StartSnapshotInput {
    std::int64_t volume_size_gib = 0;
    model::SnapshotId parent;  // empty: none
    std::string description;
    std::vector<model::Tag> tags;
    std::string client_token;
    std::optional<std::int64_t> timeout_minutes;
    bool encryption = false;  // Encrypted or a key was asked for
};
struct StartedSnapshot {
    model::Snapshot snapshot;
    model::SnapshotId parent;
    std::vector<model::Tag> tags;
};
struct PutBlockInput {
    model::SnapshotId id;
    std::int64_t index = 0;
    std::int64_t length = 0;
    std::string checksum;  // Base64 of the SHA-256
    std::optional<std::int64_t> progress;
    ByteView data;
};
struct CompleteSnapshotInput {
    model::SnapshotId id;
    std::int64_t changed_blocks = 0;
    std::string checksum;  // LINEAR, Base64; empty: not given
};

// ED-7: of the digests of all blocks, ascending.
class LinearChecksum {
  public:
    void add(ByteView digest) { hash_.update(digest); }
    std::string finish();

  private:
    crypto::Sha256 hash_;
};

class SnapshotUploads {
  public:
    SnapshotUploads(const Parts& parts, std::function<void()> work_added)
        : parts_(parts), work_added_(std::move(work_added)) {}

    void install(JobRunner& runner);
    Result<StartedSnapshot> start(const Caller& caller, const StartSnapshotInput& input);
    Status put(const Caller& caller, const PutBlockInput& input);
    // `completed` when it was so before.
    Result<model::SnapshotState> complete(const Caller& caller, const CompleteSnapshotInput& input);

  private:
    struct Upload {
        model::Snapshot snapshot;
        model::BlockUpload row;
        model::Content content;
    };
    // What is going on with one upload in this process.
    class Gate;

    static Result<Upload> find(catalog::Transaction& tx, const Caller& caller,
                               const model::SnapshotId& id);
    std::shared_ptr<Gate> gate_of(const model::SnapshotId& id) EXCLUDES(mutex_);
    void forget(const model::SnapshotId& id) EXCLUDES(mutex_);
    Result<StartedSnapshot> insert(catalog::Transaction& tx, const Caller& caller,
                                   const StartSnapshotInput& input);
    // What an earlier request with the same token and parameters has started.
    Result<StartedSnapshot> load(catalog::Transaction& tx, const Caller& caller,
                                 const model::SnapshotId& id, const model::SnapshotId& parent);

    Status open(const Upload& upload);
    Status write(const Upload& upload, const PutBlockInput& input);
    Status note(const model::SnapshotId& id, const model::UploadedBlock& block, bool written,
                std::optional<std::int64_t> progress);
    Status check_complete(const Upload& upload, const CompleteSnapshotInput& input);
    Status settle(const Upload& upload, const model::UploadedBlock& block);
    Status put_back(const Upload& upload, std::uint64_t index);

    Status turn(const model::Job& job);
    Status seal(const model::Job& job, const Upload& upload);
    Status finish(catalog::Transaction& tx, const model::Job& job, const Upload& upload);
    Status expire(const model::Job& job, const Upload& upload);
    Status clear(const model::Job& job, const model::Snapshot& snapshot);
    Status close(const model::SnapshotId& id);

    const Parts parts_;
    const std::function<void()> work_added_;
    Mutex mutex_;
    std::map<model::SnapshotId, std::shared_ptr<Gate>> gates_ GUARDED_BY(mutex_);
};

}  // namespace kiln::control
