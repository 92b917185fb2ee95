// SPDX-License-Identifier: Apache-2.0
#include "control/imports.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/contents.h"
#include "control/data_runs.h"
#include "control/quotas.h"
#include "control/space.h"
#include "util/log.h"

namespace kiln::control {
namespace {

constexpr std::size_t kBlock = block::kBlockBytes;
constexpr std::size_t kBuffer = 1U << 20;
constexpr std::uint32_t kLargestGp2GiB = 16384;
constexpr std::chrono::seconds kWriteTime{120};
constexpr char kWhat[] = "an import";

}  // namespace

Import::Import(const Parts& parts, Caller caller, ImportInput input,
               std::function<void()> work_added)
    : parts_(parts),
      caller_(std::move(caller)),
      input_(std::move(input)),
      work_added_(std::move(work_added)) {
    buffer_.reserve(kBuffer);
}

Import::~Import() {
    if (!finished_) {
        abandon();
    }
}

Status Import::open() {
    model::LayerRecord layer;
    layer.id = layer_id_;
    layer.size_bytes = size_gib_ * kGiB;
    layer.created = parts_.clock.now();
    TRY(parts_.store.run([&](catalog::Transaction& tx) { return tx.layers().insert(layer); }));
    layer_recorded_ = true;
    block::VolumeSpec spec;
    spec.id = volume_;
    spec.size_bytes = layer.size_bytes;
    spec.active = block_id(layer_id_);
    spec.create_active = true;
    return parts_.engine.open_volume(spec, Deadline::after(kWriteTime));
}

Status Import::write(ByteView data) {
    if (data.size() > input_.size_bytes - position_ - buffer_.size()) {
        return errors::invalid_parameter_value("The disk is longer than its announced size.");
    }
    while (!data.empty()) {
        const std::size_t part = std::min(data.size(), kBuffer - buffer_.size());
        buffer_.insert(buffer_.end(), data.begin(),
                       data.begin() + static_cast<std::ptrdiff_t>(part));
        data = data.subspan(part);
        if (buffer_.size() == kBuffer) {
            TRY(flush_buffer());
        }
    }
    return ok();
}

Status Import::skip_to(std::uint64_t offset) {
    INVARIANT(offset >= position_ + buffer_.size() && offset <= input_.size_bytes);
    if (offset > position_ + buffer_.size()) {
        TRY(flush_buffer());
        position_ = offset;
    }
    return ok();
}

Status Import::flush_buffer() {
    const std::size_t length = buffer_.size();
    buffer_.resize((length + kBlock - 1) / kBlock * kBlock,
                   0);  // a ragged end is followed by zeros
    TRY(write_blocks(buffer_));
    position_ += length;
    buffer_.clear();
    return ok();
}

// Blocks of zeros stay absent; runs of others are written at once.
Status Import::write_blocks(ByteView blocks) {
    return for_data_runs(blocks, [&](std::size_t at, ByteView run) -> Status {
        const Status written =
            parts_.engine.write(volume_, position_ + at, run, Deadline::after(kWriteTime));
        if (!written && written.error().code() == Code::out_of_space) {
            return no_space(parts_.space, SpaceFor::data, kWhat);
        }
        TRY(written);
        data_bytes_ += run.size();
        return ok();
    });
}

Result<Imported> Import::finish() {
    TRY(flush_buffer());
    if (position_ != input_.size_bytes) {
        return errors::invalid_parameter_value(
            fmt::format("The disk ended after {} of {} bytes.", position_, input_.size_bytes));
    }
    TRY(parts_.engine.seal_volume(volume_, Deadline::after(kWriteTime)));
    Images images(parts_);
    TRY_ASSIGN(const model::Image image,
               parts_.store.run([&](catalog::Transaction& tx) -> Result<model::Image> {
                   TRY_ASSIGN(model::LayerRecord layer, tx.layers().get(layer_id_));
                   layer.state = model::LayerState::sealed;
                   TRY(tx.layers().update(layer));
                   model::Content content;
                   content.id = model::make_id<model::ContentId>(parts_.rng);
                   content.layer = layer_id_;
                   content.size_bytes = layer.size_bytes;
                   content.created = parts_.clock.now();
                   TRY(tx.contents().insert(content));
                   TRY(queue_destage(tx, parts_, content.id));
                   model::Snapshot snapshot;
                   snapshot.id = snapshot_id_;
                   snapshot.owner_id = caller_.account;
                   snapshot.region = caller_.region;
                   snapshot.state = model::SnapshotState::completed;
                   snapshot.progress_percent = 100;
                   snapshot.description = "Imported for image " + input_.image.name;
                   snapshot.volume_id =
                       model::VolumeId(std::string(model::kPlaceholderVolumeId));  // SNP-7
                   snapshot.volume_size_gib = size_gib_;
                   snapshot.content = content.id;
                   snapshot.created = content.created;
                   snapshot.completed = content.created;
                   TRY(check_snapshot_quota(tx, parts_.settings.quotas, caller_, 1));
                   TRY(tx.snapshots().insert(snapshot));
                   return images.insert(tx, caller_, input_.image);
               }));
    finished_ = true;
    work_added_();
    return Imported{snapshot_id_, image.id, size_gib_, data_bytes_};
}

void Import::abandon() {
    if (parts_.engine.is_open(volume_)) {
        const Status closed = parts_.engine.close_volume(volume_, Deadline::after(kWriteTime));
        if (!closed) {
            log_warn("imports", "closing an abandoned import: " + closed.error().to_string());
        }
    }
    if (layer_recorded_) {
        const Status queued = parts_.store.run(
            [&](catalog::Transaction& tx) { return queue_layer_drop(tx, parts_, layer_id_); });
        if (!queued) {
            log_error("imports", "an abandoned import is left to the next start: " +
                                     queued.error().to_string());
        }
        work_added_();
    }
}

Result<std::unique_ptr<Import>> Imports::begin(const Caller& caller, ImportInput input) {
    if (input.size_bytes == 0) {
        return errors::invalid_parameter_value("The disk is empty.");
    }
    if (input.size_bytes > block::kMaxVolumeBytes) {
        return errors::invalid_parameter_value("The disk is larger than 64 TiB.");
    }
    std::unique_ptr<Import> import(new Import(parts_, caller, std::move(input), work_added_));
    import->size_gib_ = static_cast<std::uint32_t>((import->input_.size_bytes + kGiB - 1) / kGiB);
    import->snapshot_id_ = model::make_id<model::SnapshotId>(parts_.rng);
    import->layer_id_ = model::make_id<model::LayerId>(parts_.rng);
    import->volume_ = block::VolumeId("import-" + import->layer_id_.str());
    model::BlockDeviceMapping root;
    root.device_name = import->input_.image.root_device_name;
    root.ebs.emplace().snapshot_id = import->snapshot_id_;
    if (import->size_gib_ > kLargestGp2GiB) {  // BDM-17: the default type ends here
        root.ebs->volume_type = model::VolumeType::gp3;
    }
    import->input_.image.block_device_mappings = {root};
    const RegisterImageInput& image = import->input_.image;
    if (!image.id.empty() && !caller.administrator) {
        return Error::api(Code::permission_denied, "UnauthorizedOperation",
                          "Only an administrator may choose the ID of an image.");
    }
    TRY(Images::check(image));
    TRY(parts_.store.read([&](catalog::Transaction& tx) -> Status {
        TRY(Images::check_name_is_free(tx, caller, image.name));
        TRY(Images::check_id_is_free(tx, image.id));
        TRY(check_image_quota(tx, parts_.settings.quotas, caller));
        return check_snapshot_quota(tx, parts_.settings.quotas, caller, 1);
    }));
    TRY(check_space(parts_.space, SpaceFor::data, kWhat));  // SPC-1
    TRY(import->open());
    return import;
}

Status Imports::clean_up() {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        catalog::LayerQuery unsealed;
        unsealed.states = {model::LayerState::planned, model::LayerState::open};
        TRY_ASSIGN(const auto layers, tx.layers().list(unsealed));
        for (const model::LayerRecord& layer : layers) {
            catalog::VolumeQuery user;
            user.active_layer = layer.id;
            user.page.limit = 1;
            TRY_ASSIGN(const auto volumes, tx.volumes().list(user));
            catalog::ContentQuery holder;  // a cut that was interrupted
            holder.layer = layer.id;
            holder.page.limit = 1;
            TRY_ASSIGN(const auto contents, tx.contents().list(holder));
            if (volumes.empty() && contents.empty()) {
                TRY(queue_layer_drop(tx, parts_, layer.id));
            }
        }
        return ok();
    });
}

}  // namespace kiln::control
