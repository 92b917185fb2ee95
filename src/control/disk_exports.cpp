// SPDX-License-Identifier: Apache-2.0
#include "control/disk_exports.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/data_runs.h"
#include "control/images.h"
#include "control/snapshot_access.h"

namespace kiln::control {
namespace {

constexpr std::uint64_t kPieceBytes = 1U << 20;
constexpr std::uint64_t kBlock = block::kBlockBytes;
constexpr std::size_t kRangesPerPage = 1024;
constexpr std::chrono::seconds kReadTime{120};

struct Found {
    model::Snapshot snapshot;
    model::Content content;
};

Result<Found> find_snapshot(catalog::Transaction& tx, const Caller& caller,
                            const model::SnapshotId& id) {
    Found found;
    TRY_ASSIGN(found.snapshot, find_readable_snapshot(tx, caller, id));
    TRY_ASSIGN(found.content, tx.contents().get(found.snapshot.content));
    return found;
}

Result<Found> find_by_image(catalog::Transaction& tx, const Caller& caller,
                            const model::ImageId& id) {
    TRY_ASSIGN(const model::Image image, Images::find_launchable(tx, caller, id));
    const auto root = root_snapshot_of(image);
    if (!root) {
        return Error::api(Code::failed_precondition, "IncorrectState",
                          fmt::format("The image {} has no root snapshot to export (state {}).",
                                      image.id.str(), model::to_string(image.state)));
    }
    auto found = find_snapshot(tx, caller, *root);
    if (!found && image.owner_id != caller.account) {
        return Error::api(
            Code::permission_denied, "UnauthorizedOperation",
            fmt::format("You may launch the image {}, but not read its snapshot {}. Its owner, "
                        "account {}, can share the snapshot.",
                        id.str(), root->str(), image.owner_id.str()));
    }
    return found;
}

}  // namespace

std::optional<model::SnapshotId> root_snapshot_of(const model::Image& image) {
    for (const model::BlockDeviceMapping& mapping : image.block_device_mappings) {
        if (mapping.device_name == image.root_device_name && mapping.ebs &&
            !mapping.ebs->snapshot_id.empty()) {
            return mapping.ebs->snapshot_id;
        }
    }
    return std::nullopt;
}

Result<ExportableDisk> DiskExports::find(const Caller& caller, const std::string& id) {
    const auto found = parts_.store.read([&](catalog::Transaction& tx) -> Result<Found> {
        if (id.starts_with("ami-")) {
            TRY_ASSIGN(const auto image_id, model::parse_image_id(id));
            return find_by_image(tx, caller, image_id);
        }
        TRY_ASSIGN(const auto snapshot_id, model::parse_snapshot_id(id));
        return find_snapshot(tx, caller, snapshot_id);
    });
    if (!found) {
        return found.error();
    }
    return ExportableDisk{found->snapshot.id, found->content.id, found->content.size_bytes};
}

Result<std::unique_ptr<DiskExport>> DiskExports::open(const Caller& caller,
                                                      const model::SnapshotId& id) {
    TRY_ASSIGN(const Found found, parts_.store.read([&](catalog::Transaction& tx) {
        return find_snapshot(tx, caller, id);
    }));
    TRY_ASSIGN(auto view, ContentView::open(parts_, work_added_, found.content.id, "export"));
    return std::unique_ptr<DiskExport>(
        new DiskExport(parts_, std::move(view), found.content.size_bytes));
}

Status DiskExport::copy(const Sink& sink) {
    std::uint64_t next = 0;
    while (next < size_bytes_) {
        TRY_ASSIGN(const block::DataPage page,
                   parts_.engine.find_data(view_->name(), next, kRangesPerPage,
                                           Deadline::after(kReadTime)));
        INVARIANT(page.end > next);
        for (const block::DataRange& range : page.ranges) {
            TRY(copy_range(range, sink));
        }
        next = page.end;
    }
    return ok();
}

Status DiskExport::read(std::uint64_t offset, MutableByteView into) {
    INVARIANT(offset <= size_bytes_ && into.size() <= size_bytes_ - offset);
    while (!into.empty()) {
        const std::uint64_t first = offset / kBlock * kBlock;
        const std::uint64_t end =
            std::min((offset + into.size() + kBlock - 1) / kBlock * kBlock, first + kPieceBytes);
        TRY_ASSIGN(const Bytes bytes,
                   parts_.engine.read(view_->name(), first, static_cast<std::uint32_t>(end - first),
                                      Deadline::after(kReadTime)));
        const std::size_t part = std::min<std::size_t>(into.size(), end - offset);
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset - first), part,
                    into.begin());
        into = into.subspan(part);
        offset += part;
    }
    return ok();
}

Status DiskExport::copy_range(const block::DataRange& range, const Sink& sink) {
    for (std::uint64_t done = 0; done < range.length;) {
        const std::uint64_t offset = range.offset + done;
        const std::uint64_t part = std::min(kPieceBytes, range.length - done);
        TRY_ASSIGN(const Bytes bytes,
                   parts_.engine.read(view_->name(), offset, static_cast<std::uint32_t>(part),
                                      Deadline::after(kReadTime)));
        TRY(for_data_runs(bytes,
                          [&](std::size_t at, ByteView run) { return sink(offset + at, run); }));
        done += part;
    }
    return ok();
}

}  // namespace kiln::control
