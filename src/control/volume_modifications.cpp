// SPDX-License-Identifier: Apache-2.0
// VolumeModifications: what a request checks and notes. The work is in
// volume_modification_worker.cpp.
#include "control/volume_modifications.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/device_mappings.h"
#include "control/quotas.h"
#include "control/volume_limits.h"
#include "control/volumes.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{5, 500};  // PAG-2
constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr unsigned kAlmostDone = 99;
// VOL-8: what a volume has that changes to a type with a choice: io1 and io2 get as much as gp3.
constexpr std::uint32_t kDefaultIops = kGp3Iops;

using model::ModificationState;
using model::VolumeType;

bool has_iops(VolumeType type) {
    return type == VolumeType::gp3 || type == VolumeType::io1 || type == VolumeType::io2;
}

Error busy(const model::Volume& volume) {
    return Error::api(
        Code::failed_precondition, "IncorrectModificationState",
        fmt::format("Volume {} is currently in modification state '{}'; it can be modified again "
                    "when that is 'completed'.",
                    volume.id.str(), model::to_string(volume.modification->state)));
}

// VOL-8. Only those of the last day are kept.
Status count_modification(model::Volume& volume, UnixMillis now) {
    std::erase_if(volume.modified, [&](UnixMillis at) { return now.value - at.value >= kDayMs; });
    if (volume.modified.size() >= kMaxModificationsPerDay) {
        const std::int64_t left = volume.modified.front().value + kDayMs - now.value;
        return Error::api(
            Code::resource_exhausted, "VolumeModificationRateExceeded",
            fmt::format("You've reached the maximum modification rate per volume limit. Volume {} "
                        "was modified {} times within 24 hours; wait {} minutes.",
                        volume.id.str(), kMaxModificationsPerDay, (left + 59'999) / 60'000));
    }
    volume.modified.push_back(now);
    return ok();
}

// A disk that machines boot from stays one they can boot from (VOL-8, VOL-11).
Status check_bootable(const model::Volume& volume, const model::VolumeAttachment& attachment,
                      const model::Instance& instance, const model::VolumeShape& target) {
    if (!model::same_device(attachment.device, instance.root_device_name)) {
        return ok();
    }
    if (target.type == VolumeType::st1 || target.type == VolumeType::sc1) {
        return Error::api(Code::invalid_argument, "BootForVolumeTypeUnsupported",
                          fmt::format("Volume type '{}' is not supported for root volumes.",
                                      model::to_string(target.type)));
    }
    if (target.multi_attach) {
        return errors::unsupported(
            fmt::format("The volume '{}' is the root volume of the instance '{}', where "
                        "Multi-Attach cannot be enabled.",
                        volume.id.str(), instance.id.str()));
    }
    return ok();
}

// BDM-19: a vhost-user device keeps the size it had when its machine started.
Status check_shown(const model::Volume& volume, const model::Instance& instance,
                   const model::VolumeShape& target) {
    if (target.size_gib == volume.size_gib ||
        instance.disk_transport != model::DiskTransport::vhost_user ||
        instance.state == model::InstanceState::stopped) {
        return ok();
    }
    return errors::unsupported(
        fmt::format("The disks of '{}' are vhost-user devices, which cannot grow while it runs. "
                    "Stop the instance, and modify volume '{}' then.",
                    instance.id.str(), volume.id.str()));
}

Status check_attachments(catalog::Transaction& tx, const model::Volume& volume,
                         const model::VolumeShape& target) {
    for (const model::VolumeAttachment& attachment : volume.attachments) {
        TRY_ASSIGN(const model::Instance instance, tx.instances().get(attachment.instance_id));
        TRY(check_bootable(volume, attachment, instance, target));
        TRY(check_shown(volume, instance, target));
    }
    if (!target.multi_attach && volume.attachments.size() > 1) {  // VOL-11
        return Error::api(
            Code::failed_precondition, "IncorrectState",
            fmt::format("Multi-Attach of the volume '{}' cannot be disabled while it is attached "
                        "to {} instances.",
                        volume.id.str(), volume.attachments.size()));
    }
    return ok();
}

// VOL-11: of a volume that has it the type stays, of an io1 volume everything, and whether it has
// it is chosen for good.
Status check_multi_attach_change(const model::VolumeShape& now, const model::VolumeShape& target) {
    if (now.multi_attach && target.type != now.type) {
        return errors::unsupported(
            "The type of a volume that has Multi-Attach enabled cannot be changed.");
    }
    if (now.multi_attach != target.multi_attach && target.type == VolumeType::io1) {
        return errors::unsupported(
            "Multi-Attach of an io1 volume is enabled when the volume is created, and neither "
            "enabled nor disabled afterwards.");
    }
    if (now.multi_attach && now.type == VolumeType::io1 && !(now == target)) {
        return errors::unsupported(
            "The size and the IOPS of an io1 volume that has Multi-Attach enabled cannot be "
            "changed.");
    }
    return ok();
}

catalog::Cursor cursor_of(const model::Volume& volume) {
    return {volume.created, volume.id.str()};
}

Error no_modification(const model::VolumeId& id) {
    return Error::api(Code::not_found, "InvalidVolumeModification.NotFound",
                      fmt::format("Modification for volume '{}' does not exist.", id.str()));
}

}  // namespace

unsigned progress_of(const model::VolumeModification& modification) {
    switch (modification.state) {
        case ModificationState::modifying:
        case ModificationState::failed:
            return 0;
        case ModificationState::optimizing:
            return kAlmostDone;
        case ModificationState::completed:
            break;
    }
    return 100;
}

Result<model::VolumeShape> modified_shape(const model::VolumeShape& now,
                                          const ModifyVolumeInput& input) {
    if (!input.size_gib && !input.type && !input.iops && !input.throughput_mibps &&
        !input.multi_attach) {
        return errors::invalid_parameter_value(
            "Must specify at least one of Size, VolumeType, Iops, Throughput and "
            "MultiAttachEnabled.");
    }
    if (input.size_gib && *input.size_gib < now.size_gib) {
        return errors::invalid_parameter_value("New size cannot be smaller than existing size");
    }
    model::VolumeShape target = now;
    target.size_gib = input.size_gib.value_or(now.size_gib);
    target.type = input.type.value_or(now.type);
    if (target.type != now.type) {
        target.iops = has_iops(target.type) ? std::optional(kDefaultIops) : std::nullopt;
        target.throughput_mibps =
            target.type == VolumeType::gp3 ? std::optional(kGp3ThroughputMibps) : std::nullopt;
    }
    if (input.iops) {
        target.iops = input.iops;
    }
    if (input.throughput_mibps) {
        target.throughput_mibps = input.throughput_mibps;
    }
    target.multi_attach = input.multi_attach.value_or(now.multi_attach);
    TRY(check_multi_attach_change(now, target));
    TRY(check_multi_attach(target.type, target.multi_attach));
    model::EbsBlockDevice limits;
    limits.iops = target.iops;
    limits.throughput_mibps = target.throughput_mibps;
    TRY(check_volume_limits(target.type, target.size_gib, limits));
    return target;
}

Result<model::Volume> VolumeModifications::modify_in(catalog::Transaction& tx, const Caller& caller,
                                                     const ModifyVolumeInput& input) {
    TRY_ASSIGN(model::Volume volume, find_volume(tx, caller, input.volume));
    TRY(model::next(volume.state, model::VolumeEvent::modify, volume.id));
    if (volume.modification && !volume.modification->ended) {
        return busy(volume);
    }
    TRY_ASSIGN(const model::VolumeShape target, modified_shape(model::shape_of(volume), input));
    TRY(check_attachments(tx, volume, target));
    TRY(check_change_quota(tx, parts_.settings.quotas, caller, volume, target));
    const UnixMillis now = parts_.clock.now();
    TRY(count_modification(volume, now));
    if (input.dry_run) {
        return errors::dry_run();
    }
    volume.modification = model::VolumeModification{
        ModificationState::modifying, {}, model::shape_of(volume), target, now, std::nullopt};
    TRY(tx.volumes().update(volume));
    TRY(tx.jobs().add(make_job(parts_.rng, now, kModificationJob, volume.id.str(), "change")));
    return volume;
}

Result<model::Volume> VolumeModifications::modify(const Caller& caller,
                                                  const ModifyVolumeInput& input) {
    auto volume =
        parts_.store.run([&](catalog::Transaction& tx) { return modify_in(tx, caller, input); });
    work_added_();
    return volume;
}

Result<Page<model::Volume>> VolumeModifications::describe(const Caller& caller,
                                                          const DescribeModificationsInput& input) {
    TRY(modification_filters().check(input.filters));
    if (!input.ids.empty() && input.page.max_results) {  // PAG-4
        return errors::invalid_parameter_combination(
            "The parameter volumeSet cannot be used with the parameter maxResults");
    }
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<model::Volume>> {
        std::vector<model::Volume> volumes;
        std::set<model::VolumeId> seen;
        for (const model::VolumeId& id : input.ids) {
            if (!seen.insert(id).second) {  // IDL-3
                continue;
            }
            TRY_ASSIGN(volumes.emplace_back(), find_volume(tx, caller, id));
            if (!volumes.back().modification) {
                return no_modification(id);
            }
        }
        const auto shown =
            [&](std::vector<model::Volume> rows) -> Result<std::vector<model::Volume>> {
            std::erase_if(rows, [&](const model::Volume& volume) {
                return !volume.modification ||
                       !modification_filters().matches(input.filters, volume);
            });
            return rows;
        };
        if (input.ids.empty()) {
            TRY_ASSIGN(volumes,
                       read_page<model::Volume>(
                           start, true,
                           [&](const PageStart& piece) { return own_volumes(tx, caller, piece); },
                           cursor_of, shown));
        } else {
            TRY_ASSIGN(volumes, shown(std::move(volumes)));
        }
        return cut_page(caller, input.page, start, std::move(volumes), cursor_of);
    });
}

const FilterTable<model::Volume>& modification_filters() {
    using Values = std::vector<std::string>;
    using Getters = std::map<std::string, FilterTable<model::Volume>::Getter, std::less<>>;
    static const FilterTable<model::Volume> table = [] {
        Getters getters;
        getters["volume-id"] = [](const model::Volume& v) { return Values{v.id.str()}; };
        getters["modification-state"] = [](const model::Volume& v) {
            return Values{std::string(model::to_string(v.modification->state))};
        };
        getters["start-time"] = [](const model::Volume& v) {
            return Values{format_iso8601(v.modification->started)};
        };
        const auto add = [&getters](const std::string& prefix,
                                    model::VolumeShape model::VolumeModification::*shape) {
            getters[prefix + "-size"] = [shape](const model::Volume& v) {
                return Values{std::to_string(((*v.modification).*shape).size_gib)};
            };
            getters[prefix + "-volume-type"] = [shape](const model::Volume& v) {
                return Values{std::string(model::to_string(((*v.modification).*shape).type))};
            };
            getters[prefix + "-iops"] = [shape](const model::Volume& v) {
                const auto iops = with_type_figures((*v.modification).*shape).iops;
                return iops ? Values{std::to_string(*iops)} : Values{};
            };
            getters[prefix + "-throughput"] = [shape](const model::Volume& v) {
                const auto throughput =
                    with_type_figures((*v.modification).*shape).throughput_mibps;
                return throughput ? Values{std::to_string(*throughput)} : Values{};
            };
            // EC2's own spelling is the second, in which no other filter of it is.
            for (const char* name : {"-multi-attach-enabled", "MultiAttachEnabled"}) {
                getters[prefix + name] = [shape](const model::Volume& v) {
                    return Values{((*v.modification).*shape).multi_attach ? "true" : "false"};
                };
            }
        };
        add("original", &model::VolumeModification::original);
        add("target", &model::VolumeModification::target);
        return FilterTable<model::Volume>(
            [](const model::Volume&) -> const std::vector<model::Tag>& {
                static const std::vector<model::Tag> none;
                return none;
            },
            std::move(getters));
    }();
    return table;
}

}  // namespace kiln::control
