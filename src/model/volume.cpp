// SPDX-License-Identifier: Apache-2.0
#include "model/volume.h"

#include <algorithm>

#include "util/check.h"

namespace kiln::model {

VolumeShape shape_of(const Volume& volume) {
    return {volume.size_gib, volume.type, volume.iops, volume.throughput_mibps,
            volume.multi_attach};
}

namespace {

template <class V>
auto* find_in(V& volume, const InstanceId& instance) {
    const auto found = std::find_if(
        volume.attachments.begin(), volume.attachments.end(),
        [&](const VolumeAttachment& attachment) { return attachment.instance_id == instance; });
    return found == volume.attachments.end() ? nullptr : &*found;
}

}  // namespace

const VolumeAttachment* find_attachment(const Volume& volume, const InstanceId& instance) {
    return find_in(volume, instance);
}

VolumeAttachment* find_attachment(Volume& volume, const InstanceId& instance) {
    return find_in(volume, instance);
}

const VolumeAttachment& attachment_to(const Volume& volume, const InstanceId& instance) {
    const VolumeAttachment* found = find_in(volume, instance);
    INVARIANT(found != nullptr);
    return *found;
}

VolumeAttachment& attachment_to(Volume& volume, const InstanceId& instance) {
    VolumeAttachment* found = find_in(volume, instance);
    INVARIANT(found != nullptr);
    return *found;
}

Status add_attachment(Volume& volume, VolumeAttachment attachment) {
    const VolumeEvent event = volume.multi_attach ? VolumeEvent::join : VolumeEvent::attach;
    TRY_ASSIGN(volume.state, next(volume.state, event, volume.id));
    const auto taken = [&](std::uint32_t place) {
        return std::any_of(volume.attachments.begin(), volume.attachments.end(),
                           [&](const VolumeAttachment& other) { return other.place == place; });
    };
    attachment.place = 0;
    while (taken(attachment.place)) {
        ++attachment.place;
    }
    volume.attachments.push_back(std::move(attachment));
    return ok();
}

Status end_attachment(Volume& volume, const InstanceId& instance) {
    std::erase_if(volume.attachments, [&](const VolumeAttachment& attachment) {
        return attachment.instance_id == instance;
    });
    if (volume.attachments.empty()) {
        TRY_ASSIGN(volume.state, next(volume.state, VolumeEvent::detached, volume.id));
    }
    return ok();
}

namespace {

constexpr Refusal kNotFound{Code::not_found, "InvalidVolume.NotFound",
                            "The volume '{}' does not exist."};
constexpr Refusal kNotAvailable{Code::failed_precondition, "IncorrectState",
                                "{} is not 'available'."};
constexpr Refusal kCreating{Code::failed_precondition, "IncorrectState",
                            "Volume '{}' is in the 'creating' state."};
constexpr Refusal kAvailable{Code::failed_precondition, "IncorrectState",
                             "Volume '{}' is in the 'available' state."};
constexpr Refusal kDeleting{Code::failed_precondition, "IncorrectState",
                            "Volume '{}' is in the 'deleting' state."};
constexpr Refusal kErrorState{Code::failed_precondition, "IncorrectState",
                              "Volume '{}' is in the 'error' state."};
constexpr Refusal kAttached{Code::failed_precondition, "VolumeInUse",
                            "{} is already attached to an instance"};
constexpr Refusal kInUse{Code::failed_precondition, "VolumeInUse",
                         "Volume {} is currently attached to an instance"};
constexpr Refusal kSuperseded{Code::failed_precondition, "", "volume {} has moved on meanwhile"};

using S = VolumeState;
using E = VolumeEvent;

constexpr VolumeTransition kTable[] = {
    {S::creating, E::created, S::available},
    {S::creating, E::creation_failed, S::error},
    {S::creating, E::attach, {}, &kNotAvailable},
    {S::creating, E::join, {}, &kNotAvailable},
    {S::creating, E::detached, {}, &kCreating},
    {S::creating, E::snapshot, {}, &kCreating},
    {S::creating, E::modify, {}, &kCreating},
    {S::creating, E::remove, {}, &kCreating},
    {S::creating, E::removed, {}, &kSuperseded},

    {S::available, E::created, S::available},
    {S::available, E::creation_failed, {}, &kSuperseded},
    {S::available, E::attach, S::in_use},
    {S::available, E::join, S::in_use},
    {S::available, E::detached, {}, &kAvailable},
    {S::available, E::snapshot, S::available},
    {S::available, E::modify, S::available},
    {S::available, E::remove, S::deleting},
    {S::available, E::removed, {}, &kSuperseded},

    {S::in_use, E::created, {}, &kSuperseded},
    {S::in_use, E::creation_failed, {}, &kSuperseded},
    {S::in_use, E::attach, {}, &kAttached},
    {S::in_use, E::join, S::in_use},
    {S::in_use, E::detached, S::available},
    {S::in_use, E::snapshot, S::in_use},
    {S::in_use, E::modify, S::in_use},
    {S::in_use, E::remove, {}, &kInUse},
    {S::in_use, E::removed, {}, &kSuperseded},

    {S::deleting, E::created, {}, &kSuperseded},
    {S::deleting, E::creation_failed, {}, &kSuperseded},
    {S::deleting, E::attach, {}, &kNotAvailable},
    {S::deleting, E::join, {}, &kNotAvailable},
    {S::deleting, E::detached, {}, &kDeleting},
    {S::deleting, E::snapshot, {}, &kDeleting},
    {S::deleting, E::modify, {}, &kDeleting},
    {S::deleting, E::remove, {}, &kDeleting},
    {S::deleting, E::removed, S::deleted},

    {S::deleted, E::created, {}, &kSuperseded},
    {S::deleted, E::creation_failed, {}, &kSuperseded},
    {S::deleted, E::attach, {}, &kNotFound},
    {S::deleted, E::join, {}, &kNotFound},
    {S::deleted, E::detached, {}, &kNotFound},
    {S::deleted, E::snapshot, {}, &kNotFound},
    {S::deleted, E::modify, {}, &kNotFound},
    {S::deleted, E::remove, {}, &kNotFound},
    {S::deleted, E::removed, S::deleted},

    // VOL-6: of a volume in error one can only get rid.
    {S::error, E::created, {}, &kSuperseded},
    {S::error, E::creation_failed, S::error},
    {S::error, E::attach, {}, &kNotAvailable},
    {S::error, E::join, {}, &kNotAvailable},
    {S::error, E::detached, {}, &kErrorState},
    {S::error, E::snapshot, {}, &kErrorState},
    {S::error, E::modify, {}, &kErrorState},
    {S::error, E::remove, S::deleting},
    {S::error, E::removed, {}, &kSuperseded},
};

constexpr Refusal kMoved{Code::failed_precondition, "",
                         "the attachment of volume {} has moved on meanwhile"};
constexpr Refusal kDetaching{Code::failed_precondition, "IncorrectState",
                             "Volume '{}' is being detached."};

using A = AttachmentState;
using F = AttachmentEvent;

constexpr AttachmentTransition kAttachments[] = {
    {A::attaching, F::attached, A::attached},
    {A::attaching, F::attach_failed, A::detached},
    {A::attaching, F::detach, A::detaching},
    {A::attaching, F::held, {}, &kMoved},
    {A::attaching, F::detached, A::detached},

    {A::attached, F::attached, A::attached},
    {A::attached, F::attach_failed, {}, &kMoved},
    {A::attached, F::detach, A::detaching},
    {A::attached, F::held, {}, &kMoved},
    {A::attached, F::detached, A::detached},

    {A::detaching, F::attached, {}, &kMoved},
    {A::detaching, F::attach_failed, A::detached},
    {A::detaching, F::detach, {}, &kDetaching},
    {A::detaching, F::held, A::busy},
    {A::detaching, F::detached, A::detached},

    {A::detached, F::attached, {}, &kMoved},
    {A::detached, F::attach_failed, A::detached},
    {A::detached, F::detach, {}, &kAvailable},
    {A::detached, F::held, {}, &kMoved},
    {A::detached, F::detached, A::detached},

    // VOL-5: until the guest lets go, or is forced to by a second request.
    {A::busy, F::attached, {}, &kMoved},
    {A::busy, F::attach_failed, {}, &kMoved},
    {A::busy, F::detach, A::detaching},
    {A::busy, F::held, A::busy},
    {A::busy, F::detached, A::detached},
};

}  // namespace

std::span<const VolumeTransition> volume_transitions() {
    return kTable;
}

Result<VolumeState> next(VolumeState state, VolumeEvent event, const VolumeId& id) {
    return look_up(volume_transitions(), state, event, id.str());
}

std::span<const AttachmentTransition> attachment_transitions() {
    return kAttachments;
}

Result<AttachmentState> next(AttachmentState state, AttachmentEvent event, const VolumeId& id) {
    return look_up(attachment_transitions(), state, event, id.str());
}

}  // namespace kiln::model
