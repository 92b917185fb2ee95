// SPDX-License-Identifier: Apache-2.0
#include "control/snapshot_uploads.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/contents.h"
#include "control/data_runs.h"
#include "control/ebs_errors.h"
#include "control/idempotency.h"
#include "control/quotas.h"
#include "control/snapshot_access.h"
#include "control/snapshot_blocks.h"
#include "control/space.h"
#include "control/tagging.h"
#include "control/upload_gate.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::int64_t kMaxSizeGiB = 65'536;
constexpr std::size_t kMaxDescription = 255;
constexpr std::size_t kMaxClientToken = 255;
constexpr std::int64_t kMinTimeout = 10;  // minutes; ED-5
constexpr std::int64_t kMaxTimeout = 4320;
constexpr std::int64_t kDefaultTimeout = 60;
constexpr std::int64_t kMsPerMinute = 60'000;
constexpr std::uint32_t kMostProgress = 99;  // 100 is of the completed (SNP-3)
constexpr std::size_t kDigestsAtOnce = 4096;
constexpr std::chrono::seconds kCallTime{120};

block::VolumeId volume_of(const model::SnapshotId& id) {
    return block::VolumeId("upload-" + id.str());
}

Status check(const StartSnapshotInput& input) {
    if (input.encryption) {
        return ebs_errors::invalid_parameter(
            "Encrypted snapshots are not built yet; leave out Encrypted and KmsKeyArn.");
    }
    if (input.volume_size_gib < 1 || input.volume_size_gib > kMaxSizeGiB) {
        return ebs_errors::invalid("INVALID_VOLUME_SIZE",
                                   fmt::format("VolumeSize is {} GiB; it is 1 to {}.",
                                               input.volume_size_gib, kMaxSizeGiB));
    }
    const std::int64_t timeout = input.timeout_minutes.value_or(kDefaultTimeout);
    if (timeout < kMinTimeout || timeout > kMaxTimeout) {
        return ebs_errors::invalid_parameter(fmt::format("Timeout is {} minutes; it is {} to {}.",
                                                         timeout, kMinTimeout, kMaxTimeout));
    }
    if (character_count(input.description) > kMaxDescription) {
        return ebs_errors::invalid_parameter(
            fmt::format("The description is longer than {} characters.", kMaxDescription));
    }
    if (input.client_token.size() > kMaxClientToken) {
        return ebs_errors::invalid_parameter(
            fmt::format("ClientToken is longer than {} characters.", kMaxClientToken));
    }
    const Status tags = check_tags(input.tags);
    return tags ? ok() : ebs_errors::invalid("INVALID_TAG", tags.error().message());
}

Error is_completing(const model::SnapshotId& id) {
    return ebs_errors::wrong_state(fmt::format(
        "The snapshot '{}' takes no blocks any more: it is being completed.", id.str()));
}

// What two requests with one token must have in common (IDM-2).
std::string hash_of(const StartSnapshotInput& input) {
    std::string text = fmt::format("{}|{}|{}|{}", input.volume_size_gib, input.parent.str(),
                                   input.timeout_minutes.value_or(kDefaultTimeout),
                                   percent_encode(input.description));
    for (const model::Tag& tag : input.tags) {
        text += '|' + percent_encode(tag.key) + '=' + percent_encode(tag.value);
    }
    return crypto::sha256_hex(as_bytes(text));
}

// What EC2 says of a quota, and of space, in the words of the EBS direct APIs.
Error full(const Error& error) {
    return Error::api(Code::resource_exhausted, "ServiceQuotaExceededException", error.message());
}

}  // namespace

std::string LinearChecksum::finish() {
    return base64_encode(hash_.finish());
}

Result<SnapshotUploads::Upload> SnapshotUploads::find(catalog::Transaction& tx,
                                                      const Caller& caller,
                                                      const model::SnapshotId& id) {
    TRY_ASSIGN(auto snapshot, tx.snapshots().find(id));
    if (!snapshot || snapshot->region != caller.region || snapshot->owner_id != caller.account ||
        snapshot->state == model::SnapshotState::deleted) {
        return ebs_errors::snapshot_not_found(id);  // ERR-3
    }
    TRY_ASSIGN(const auto row, tx.uploads().find(id));
    if (!row && snapshot->state == model::SnapshotState::error &&
        snapshot->volume_id.str() == model::kPlaceholderVolumeId) {
        return ebs_errors::invalid("WRITE_REQUEST_TIMEOUT", snapshot->state_message);
    }
    if (!row || snapshot->state != model::SnapshotState::pending) {
        return ebs_errors::wrong_state(fmt::format("The snapshot '{}' takes no blocks: it is {}.",
                                                   id.str(), model::to_string(snapshot->state)));
    }
    Upload upload{std::move(*snapshot), *row, {}};
    TRY_ASSIGN(upload.content, tx.contents().get(upload.snapshot.content));
    return upload;
}

Result<StartedSnapshot> SnapshotUploads::load(catalog::Transaction& tx, const Caller& caller,
                                              const model::SnapshotId& id,
                                              const model::SnapshotId& parent) {
    StartedSnapshot started;
    TRY_ASSIGN(auto snapshot, tx.snapshots().find(id));
    if (!snapshot || snapshot->state == model::SnapshotState::deleted) {
        return ebs_errors::snapshot_not_found(id);
    }
    started.snapshot = std::move(*snapshot);
    started.parent = parent;
    TRY_ASSIGN(auto tags, tx.tags().of(caller.account, {id.str()}));
    started.tags = std::move(tags[id.str()]);
    return started;
}

Result<StartedSnapshot> SnapshotUploads::start(const Caller& caller,
                                               const StartSnapshotInput& input) {
    TRY(check(input));
    const Status room = check_space(parts_.space, SpaceFor::data, "a snapshot");  // SPC-1
    if (!room) {
        return full(room.error());
    }
    const ClientToken token{"StartSnapshot", caller.region, input.client_token, hash_of(input)};
    auto started = parts_.store.run([&](catalog::Transaction& tx) -> Result<StartedSnapshot> {
        auto known = find_result(tx, caller, token);
        if (!known && known.error().api_code() == "IdempotentParameterMismatch") {  // IDM-2
            return Error::api(Code::conflict, "ConflictException", known.error().message());
        }
        TRY(known);
        if (*known) {
            return load(tx, caller, model::SnapshotId(**known), input.parent);
        }
        TRY_ASSIGN(auto made, insert(tx, caller, input));
        TRY(remember_result(tx, caller, token, made.snapshot.id.str(), parts_.clock.now()));
        return made;
    });
    work_added_();
    return started;
}

Result<StartedSnapshot> SnapshotUploads::insert(catalog::Transaction& tx, const Caller& caller,
                                                const StartSnapshotInput& input) {
    const UnixMillis now = parts_.clock.now();
    model::LayerRecord layer;
    layer.id = model::make_id<model::LayerId>(parts_.rng);
    layer.size_bytes = static_cast<std::uint64_t>(input.volume_size_gib) * kGiB;
    layer.created = now;
    model::Content content;
    content.id = model::make_id<model::ContentId>(parts_.rng);
    content.layer = layer.id;
    content.size_bytes = layer.size_bytes;
    content.created = now;
    model::Snapshot snapshot;
    snapshot.id = model::make_id<model::SnapshotId>(parts_.rng);
    TRY(check_upload_quota(tx, parts_.settings.quotas, caller));
    if (const Status room = check_snapshot_quota(tx, parts_.settings.quotas, caller, 1); !room) {
        return full(room.error());
    }
    if (!input.parent.empty()) {
        auto parent = find_granted_snapshot(tx, caller, input.parent);
        if (!parent) {
            return ebs_errors::of_snapshot(std::move(parent).error(), input.parent);
        }
        if (input.volume_size_gib < parent->volume_size_gib) {
            return ebs_errors::invalid(
                "INVALID_VOLUME_SIZE",
                fmt::format("VolumeSize is {} GiB; the parent '{}' has {}.", input.volume_size_gib,
                            input.parent.str(), parent->volume_size_gib));
        }
        content.parent = parent->content;
        snapshot.lineage = model::lineage_of(*parent);
        snapshot.source_image = parent->source_image;
        snapshot.local_zone = parent->local_zone;  // REG-5: it has the parent's bytes
    }
    snapshot.owner_id = caller.account;
    snapshot.region = caller.region;
    snapshot.description = input.description;
    snapshot.volume_id = model::VolumeId(std::string(model::kPlaceholderVolumeId));  // SNP-7
    snapshot.volume_size_gib = static_cast<std::uint32_t>(input.volume_size_gib);
    snapshot.content = content.id;
    snapshot.created = now;
    TRY(tx.layers().insert(layer));
    TRY(tx.contents().insert(content));
    TRY(tx.snapshots().insert(snapshot));
    TRY(put_tags(tx, caller, "snapshot", snapshot.id.str(), input.tags));
    const std::int64_t timeout_ms = input.timeout_minutes.value_or(kDefaultTimeout) * kMsPerMinute;
    TRY(tx.uploads().insert({snapshot.id, input.parent, timeout_ms, now, false}));
    model::Job job = make_job(parts_.rng, now, kUploadJob, snapshot.id.str(), "watch");
    job.not_before = UnixMillis{now.value + timeout_ms};
    TRY(tx.jobs().add(job));
    return StartedSnapshot{std::move(snapshot), input.parent, input.tags};
}

Status SnapshotUploads::put(const Caller& caller, const PutBlockInput& input) {
    const auto find_upload = [&] {
        return parts_.store.read(
            [&](catalog::Transaction& tx) { return find(tx, caller, input.id); });
    };
    TRY_ASSIGN(const Upload seen, find_upload());
    const std::uint64_t blocks = std::uint64_t{seen.snapshot.volume_size_gib} * kApiBlocksPerGiB;
    if (input.index < 0 || static_cast<std::uint64_t>(input.index) >= blocks) {
        return ebs_errors::invalid("INVALID_BLOCK",
                                   fmt::format("The snapshot '{}' has {} blocks; there is no {}.",
                                               input.id.str(), blocks, input.index));
    }
    if (input.length != static_cast<std::int64_t>(kApiBlockBytes) ||
        input.data.size() != kApiBlockBytes) {
        return ebs_errors::invalid(
            "INVALID_BLOCK", fmt::format("A block has {} bytes; DataLength is {}, the body has {}.",
                                         kApiBlockBytes, input.length, input.data.size()));
    }
    if (input.progress && (*input.progress < 0 || *input.progress > 100)) {
        return ebs_errors::invalid_parameter("Progress is 0 to 100.");
    }
    if (base64_encode(crypto::sha256(input.data)) != input.checksum) {
        return ebs_errors::invalid("INVALID_BLOCK",
                                   "The checksum is not the Base64 of the SHA-256 of the block.");
    }
    const auto index = static_cast<std::uint64_t>(input.index);
    const auto gate = gate_of(input.id);
    if (!gate->enter(index, input.checksum)) {
        return ebs_errors::invalid("CONFLICTING_BLOCK_UPDATE",
                                   "Another request is writing other bytes to this block.");
    }
    const Gate::Put in(*gate, index);
    // Asked again, now that nobody ends it meanwhile.
    TRY_ASSIGN(const Upload upload, find_upload());
    return upload.row.completing ? is_completing(input.id) : write(upload, input);
}

Status SnapshotUploads::write(const Upload& upload, const PutBlockInput& input) {
    const model::SnapshotId& id = input.id;
    const auto index = static_cast<std::uint64_t>(input.index);
    const std::uint64_t offset = index * kApiBlockBytes;
    const Deadline deadline = Deadline::after(kCallTime);
    TRY_ASSIGN(const Bytes digest, base64_decode(input.checksum));  // which the data has
    {
        const MutexLock opening(gate_of(id)->opening());
        TRY(open(upload));
    }
    TRY(note(id, {index, {}, digest}, false, std::nullopt));
    const Status written = all_zero(input.data)
                               ? parts_.engine.zero(volume_of(id), offset, kApiBlockBytes, deadline)
                               : parts_.engine.write(volume_of(id), offset, input.data, deadline);
    if (!written && written.error().code() == Code::out_of_space) {
        return full(no_space(parts_.space, SpaceFor::data, "a block"));
    }
    TRY(written);
    TRY(parts_.engine.flush(volume_of(id), deadline));
    return note(id, {index, digest, {}}, true, input.progress);
}

// Before it is `written` and after.
Status SnapshotUploads::note(const model::SnapshotId& id, const model::UploadedBlock& block,
                             bool written, std::optional<std::int64_t> progress) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto row, tx.uploads().find(id));
        if (!row) {
            return ebs_errors::snapshot_not_found(id);
        }
        if (!written) {
            TRY_ASSIGN(const auto before, tx.uploads().find_block(id, block.index));
            return tx.uploads().put(
                id, {block.index, before ? before->digest : Bytes(), block.writing});
        }
        row->active = parts_.clock.now();
        TRY(tx.uploads().update(*row));
        TRY(tx.uploads().put(id, block));
        if (!progress) {
            return ok();
        }
        TRY_ASSIGN(model::Snapshot snapshot, tx.snapshots().get(id));
        const auto percent = std::min(static_cast<std::uint32_t>(*progress), kMostProgress);
        if (snapshot.state == model::SnapshotState::pending &&
            percent > snapshot.progress_percent) {
            snapshot.progress_percent = percent;
            TRY(tx.snapshots().update(snapshot));
        }
        return ok();
    });
}

Result<model::SnapshotState> SnapshotUploads::complete(const Caller& caller,
                                                       const CompleteSnapshotInput& input) {
    const auto state_of = [&](catalog::Transaction& tx) -> Result<model::SnapshotState> {
        TRY_ASSIGN(const auto snapshot, tx.snapshots().find(input.id));
        const bool done = snapshot && snapshot->region == caller.region &&
                          snapshot->owner_id == caller.account &&
                          snapshot->state == model::SnapshotState::completed;
        if (done) {
            return model::SnapshotState::completed;  // ED-7: repeated
        }
        TRY(find(tx, caller, input.id));
        return model::SnapshotState::pending;
    };
    TRY_ASSIGN(const auto before, parts_.store.read(state_of));
    if (before == model::SnapshotState::completed) {
        return before;
    }
    const auto gate = gate_of(input.id);
    const Gate::Alone alone(*gate);
    TRY_ASSIGN(const Upload upload, parts_.store.read([&](catalog::Transaction& tx) {
        return find(tx, caller, input.id);
    }));
    if (!upload.row.completing) {
        TRY(check_complete(upload, input));
        TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
            TRY_ASSIGN(Upload now, find(tx, caller, input.id));
            now.row.completing = true;
            TRY(tx.uploads().update(now.row));
            TRY(tx.jobs().wake(input.id.str(), parts_.clock.now()));
            return ok();
        }));
        work_added_();
    }
    return model::SnapshotState::pending;
}

Status SnapshotUploads::check_complete(const Upload& upload, const CompleteSnapshotInput& input) {
    const model::SnapshotId& id = upload.snapshot.id;
    TRY_ASSIGN(const auto unsettled, parts_.store.read([&](catalog::Transaction& tx) {
        return tx.uploads().unsettled(id);
    }));
    for (const model::UploadedBlock& block : unsettled) {
        TRY(settle(upload, block));
    }
    TRY_ASSIGN(const std::uint64_t count,
               parts_.store.read([&](catalog::Transaction& tx) { return tx.uploads().count(id); }));
    if (input.changed_blocks < 0 || static_cast<std::uint64_t>(input.changed_blocks) != count) {
        return ebs_errors::invalid_parameter(
            fmt::format("ChangedBlocksCount is {}; {} blocks of '{}' were put.",
                        input.changed_blocks, count, id.str()));
    }
    if (input.checksum.empty()) {
        return ok();
    }
    LinearChecksum checksum;
    for (std::uint64_t from = 0;;) {
        TRY_ASSIGN(const auto blocks, parts_.store.read([&](catalog::Transaction& tx) {
            return tx.uploads().blocks(id, from, kDigestsAtOnce);
        }));
        for (const model::UploadedBlock& block : blocks) {
            checksum.add(block.digest);
            from = block.index + 1;
        }
        if (blocks.size() < kDigestsAtOnce) {
            break;
        }
    }
    if (checksum.finish() != input.checksum) {
        return ebs_errors::invalid_parameter(
            "The checksum is not that of the blocks that were put.");
    }
    return ok();
}

std::shared_ptr<SnapshotUploads::Gate> SnapshotUploads::gate_of(const model::SnapshotId& id) {
    const MutexLock lock(mutex_);
    auto& gate = gates_[id];
    if (gate == nullptr) {
        gate = std::make_shared<Gate>();
    }
    return gate;
}

void SnapshotUploads::forget(const model::SnapshotId& id) {
    const MutexLock lock(mutex_);
    gates_.erase(id);
}

}  // namespace kiln::control
