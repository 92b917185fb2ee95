// SPDX-License-Identifier: Apache-2.0
#include "control/verifications.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/content_view.h"
#include "control/images.h"
#include "control/snapshot_access.h"
#include "util/log.h"

namespace kiln::control {
namespace {

constexpr std::chrono::seconds kPageTime{120};
constexpr std::uint64_t kPieceBytes = 1U << 20;
// How finely damage of a volume is told.
constexpr std::uint64_t kPartBytes = 64U << 10;
constexpr std::uint64_t kVolumePageBytes = 8U << 20;
constexpr std::size_t kRangesPerPage = 64;

bool is_damage(const Error& error) {
    return error.code() == Code::data_loss || error.code() == Code::io_error;
}

Error changed(const std::string& id) {
    return Error::api(Code::unavailable, "Unavailable",
                      fmt::format("What '{}' stands on was deleted or stored anew while it was "
                                  "being verified. Verify it again.",
                                  id));
}

Result<VerifyTarget> snapshot_target(catalog::Transaction& tx, const Caller& caller,
                                     const model::SnapshotId& id) {
    TRY_ASSIGN(const auto snapshot, find_readable_snapshot(tx, caller, id));
    TRY_ASSIGN(const auto content, tx.contents().get(snapshot.content));
    return VerifyTarget{.id = id.str(), .content = content.id, .size_bytes = content.size_bytes};
}

Result<std::vector<VerifyTarget>> image_targets(catalog::Transaction& tx, const Caller& caller,
                                                const model::ImageId& id) {
    TRY_ASSIGN(const model::Image image, Images::find_launchable(tx, caller, id));
    std::vector<VerifyTarget> targets;
    for (const model::BlockDeviceMapping& mapping : image.block_device_mappings) {
        if (!mapping.ebs || mapping.ebs->snapshot_id.empty()) {
            continue;
        }
        auto target = snapshot_target(tx, caller, mapping.ebs->snapshot_id);
        if (!target && image.owner_id != caller.account) {
            return Error::api(
                Code::permission_denied, "UnauthorizedOperation",
                fmt::format("You may launch the image {}, but not read its snapshot {}. Its "
                            "owner, account {}, can verify it.",
                            id.str(), mapping.ebs->snapshot_id.str(), image.owner_id.str()));
        }
        TRY(target);
        target->device = mapping.device_name;
        targets.push_back(*std::move(target));
    }
    if (targets.empty()) {
        return Error::api(Code::failed_precondition, "IncorrectState",
                          fmt::format("The image {} has no snapshot to verify (state {}).",
                                      id.str(), model::to_string(image.state)));
    }
    return targets;
}

Result<VerifyTarget> volume_target(catalog::Transaction& tx, const Caller& caller,
                                   const model::VolumeId& id) {
    TRY_ASSIGN(const auto volume, tx.volumes().find(id));
    if (!volume || volume->owner_id != caller.account || volume->region != caller.region) {
        return errors::volume_not_found(id);
    }
    TRY(model::next(volume->state, model::VolumeEvent::snapshot, id));
    return VerifyTarget{.id = id.str(),
                        .volume = id,
                        .content = volume->base_content,
                        .size_bytes = volume->size_gib * kGiB};
}

void note(Verified& result, block::Damage damage) {
    ++result.unreadable;
    if (result.damage.size() < kMaxListedDamage) {
        result.damage.push_back(std::move(damage));
    }
}

}  // namespace

Result<std::vector<VerifyTarget>> Verifications::find(const Caller& caller, const std::string& id) {
    using Targets = std::vector<VerifyTarget>;
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Targets> {
        if (id.starts_with("ami-")) {
            TRY_ASSIGN(const auto image, model::parse_image_id(id));
            return image_targets(tx, caller, image);
        }
        if (id.starts_with("vol-")) {
            TRY_ASSIGN(const auto volume, model::parse_volume_id(id));
            TRY_ASSIGN(auto target, volume_target(tx, caller, volume));
            return Targets{std::move(target)};
        }
        TRY_ASSIGN(const auto snapshot, model::parse_snapshot_id(id));
        TRY_ASSIGN(auto target, snapshot_target(tx, caller, snapshot));
        return Targets{std::move(target)};
    });
}

Result<Verified> Verifications::run(const VerifyTarget& target, const Tick& tick) {
    Verified result;
    if (!target.content.empty()) {
        TRY(run_content(target, tick, result));
    }
    if (!target.volume.empty()) {
        TRY(run_volume(target, tick, result));
    }
    if (result.unreadable > 0) {
        log_error("verify", fmt::format("{} is damaged in {} ranges; the first: {}", target.id,
                                        result.unreadable, result.damage.front().why));
    }
    return result;
}

Status Verifications::run_content(const VerifyTarget& target, const Tick& tick, Verified& result) {
    auto view = ContentView::open(parts_, work_added_, target.content, "verify");
    TRY_ASSIGN(const auto content, parts_.store.read([&](catalog::Transaction& tx) {
        return tx.contents().find(target.content);
    }));
    if (!content) {
        return changed(target.id);
    }
    result.root_digest = content->root_digest;
    if (!view && is_damage(view.error())) {
        note(result, {.content = block_id(content->id),
                      .offset = 0,
                      .length = content->size_bytes,
                      .part = "all of it",
                      .why = view.error().to_string()});
        return ok();
    }
    if (!view) {
        return view.error();
    }
    std::optional<block::VerifyPlace> place{block::VerifyPlace{}};
    while (place) {
        TRY_ASSIGN(auto page,
                   parts_.engine.verify((*view)->name(), *place, Deadline::after(kPageTime)));
        place = page.next;
        if (!page.damage.empty()) {
            // Garbage collection may take what a deleted content had: that is no damage.
            TRY_ASSIGN(const auto there, parts_.store.read([&](catalog::Transaction& tx) {
                return tx.contents().find(model::ContentId(page.damage.front().content.str()));
            }));
            if (!there) {
                return changed(target.id);
            }
        }
        TRY(take(std::move(page), result));
        TRY(tick(result));
    }
    return ok();
}

Status Verifications::take(block::VerifyPage page, Verified& result) {
    result.bytes += page.bytes;
    result.chunks += page.chunks;
    result.nodes += page.nodes;
    result.blocks += page.blocks;
    for (block::Damage& damage : page.damage) {
        note(result, std::move(damage));
    }
    return ok();
}

// A page at a time, and between pages the volume is nobody's: it may be attached, cut or deleted.
Status Verifications::run_volume(const VerifyTarget& target, const Tick& tick, Verified& result) {
    std::uint64_t next = 0;
    while (next < target.size_bytes) {
        const Deadline deadline = Deadline::after(kPageTime);
        TRY_ASSIGN(const auto hold, volumes_.hold({target.volume}, deadline));
        const Status opened = volumes_.open_held(hold, target.volume, deadline);
        if (!opened && is_damage(opened.error())) {
            note(result, {.offset = 0,
                          .length = target.size_bytes,
                          .part = "all of it",
                          .why = opened.error().to_string()});
            return ok();
        }
        if (!opened) {
            return opened.error().code() == Code::not_found ? Status(changed(target.id)) : opened;
        }
        const auto page = read_page(target, next, result);
        TRY(volumes_.close_held(hold, target.volume, deadline));
        TRY(page);
        next = page->end;
        TRY(tick(result));
    }
    return ok();
}

Result<block::DataPage> Verifications::read_page(const VerifyTarget& target, std::uint64_t from,
                                                 Verified& result) {
    const block::VolumeId name = block_id(target.volume);
    auto page = parts_.engine.find_data(name, from, kRangesPerPage, Deadline::after(kPageTime));
    if (!page && is_damage(page.error())) {
        // Where the data is, is not known: then it is everywhere, as for a guest.
        const std::uint64_t length = std::min(kVolumePageBytes, target.size_bytes - from);
        page = block::DataPage{{{from, length}}, from + length};
    }
    TRY(page);
    std::uint64_t read = 0;
    for (const block::DataRange& range : page->ranges) {
        for (std::uint64_t at = 0; at < range.length; at += kPieceBytes) {
            if (read >= kVolumePageBytes) {
                page->end = range.offset + at;
                return page;
            }
            const std::uint64_t length = std::min(kPieceBytes, range.length - at);
            TRY(read_piece(target, range.offset + at, length, result));
            read += length;
        }
    }
    return page;
}

Status Verifications::read_piece(const VerifyTarget& target, std::uint64_t offset,
                                 std::uint64_t length, Verified& result) {
    const auto bytes =
        parts_.engine.read(block_id(target.volume), offset, static_cast<std::uint32_t>(length),
                           Deadline::after(kPageTime));
    if (bytes) {
        result.bytes += length;
        return ok();
    }
    if (!is_damage(bytes.error())) {
        return bytes.error();
    }
    if (length > kPartBytes) {  // which of it
        for (std::uint64_t at = 0; at < length; at += kPartBytes) {
            TRY(read_piece(target, offset + at, std::min(kPartBytes, length - at), result));
        }
        return ok();
    }
    note(result, {.offset = offset,
                  .length = length,
                  .part = "bytes as the guest reads them",
                  .why = bytes.error().message()});
    return ok();
}

}  // namespace kiln::control
