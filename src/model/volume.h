// SPDX-License-Identifier: Apache-2.0
// Volume: a block device with a life of its own (section 25), and its attachments to instances.
//
// Its bytes are an active layer over a base content (D31). The attachments stand here and nowhere
// else: an instance's devices are found by asking for the volumes attached to it. There is at most
// one, or kMaxAttachments of a volume with Multi-Attach (VOL-11), each to another instance. Thread
// model: plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/block_device.h"
#include "model/ids.h"
#include "model/names.h"
#include "model/source_image.h"
#include "model/transition.h"
#include "util/time.h"

namespace kiln::model {

enum class VolumeState { creating, available, in_use, deleting, deleted, error };
constexpr auto enum_names(VolumeState) {
    return std::to_array<EnumName<VolumeState>>({{VolumeState::creating, "creating"},
                                                 {VolumeState::available, "available"},
                                                 {VolumeState::in_use, "in-use"},
                                                 {VolumeState::deleting, "deleting"},
                                                 {VolumeState::deleted, "deleted"},
                                                 {VolumeState::error, "error"}});
}

enum class VolumeEvent {
    created,
    creation_failed,
    attach,    // VOL-4: in-use at once, while the attachment is still `attaching`
    join,      // VOL-11: another attachment, of a volume that may have several
    detached,  // VOL-5, VOL-7: the last attachment is over
    snapshot,  // SNP-2; changes nothing
    modify,    // VOL-8; the same
    remove,    // VOL-6
    removed,   // its active layer is gone
};
constexpr auto enum_names(VolumeEvent) {
    return std::to_array<EnumName<VolumeEvent>>({{VolumeEvent::created, "created"},
                                                 {VolumeEvent::creation_failed, "creation-failed"},
                                                 {VolumeEvent::attach, "attach"},
                                                 {VolumeEvent::join, "join"},
                                                 {VolumeEvent::detached, "detached"},
                                                 {VolumeEvent::snapshot, "snapshot"},
                                                 {VolumeEvent::modify, "modify"},
                                                 {VolumeEvent::remove, "remove"},
                                                 {VolumeEvent::removed, "removed"}});
}

enum class AttachmentState { attaching, attached, detaching, detached, busy };
constexpr auto enum_names(AttachmentState) {
    return std::to_array<EnumName<AttachmentState>>({{AttachmentState::attaching, "attaching"},
                                                     {AttachmentState::attached, "attached"},
                                                     {AttachmentState::detaching, "detaching"},
                                                     {AttachmentState::detached, "detached"},
                                                     {AttachmentState::busy, "busy"}});
}

enum class AttachmentEvent {
    attached,       // the guest has the device
    attach_failed,  // it could not be given to the guest
    detach,         // DetachVolume, or the instance ends
    held,           // the guest still uses it
    detached,       // the guest let it go, or was forced to
};
constexpr auto enum_names(AttachmentEvent) {
    return std::to_array<EnumName<AttachmentEvent>>(
        {{AttachmentEvent::attached, "attached"},
         {AttachmentEvent::attach_failed, "attach-failed"},
         {AttachmentEvent::detach, "detach"},
         {AttachmentEvent::held, "held"},
         {AttachmentEvent::detached, "detached"}});
}

struct VolumeAttachment {
    InstanceId instance_id;
    std::string device;
    AttachmentState state = AttachmentState::attaching;
    bool delete_on_termination = false;
    UnixMillis attach_time;
    bool forced = false;  // VOL-5: while it ends, the guest is not waited for
    // Which of the volume's sockets its machine has: no two attachments of a volume have the same.
    std::uint32_t place = 0;
    friend bool operator==(const VolumeAttachment&, const VolumeAttachment&) = default;
};

// VOL-11: of one volume.
inline constexpr std::size_t kMaxAttachments = 16;

enum class ModificationState { modifying, optimizing, completed, failed };
constexpr auto enum_names(ModificationState) {
    return std::to_array<EnumName<ModificationState>>(
        {{ModificationState::modifying, "modifying"},
         {ModificationState::optimizing, "optimizing"},
         {ModificationState::completed, "completed"},
         {ModificationState::failed, "failed"}});
}

// What ModifyVolume changes.
struct VolumeShape {
    std::uint32_t size_gib = 0;
    VolumeType type = VolumeType::gp2;
    std::optional<std::uint32_t> iops;
    std::optional<std::uint32_t> throughput_mibps;
    bool multi_attach = false;
    friend bool operator==(const VolumeShape&, const VolumeShape&) = default;
};

// The last one of a volume (VOL-9).
struct VolumeModification {
    ModificationState state = ModificationState::modifying;
    std::string status_message;
    VolumeShape original;
    VolumeShape target;
    UnixMillis started;
    std::optional<UnixMillis> ended;
    friend bool operator==(const VolumeModification&, const VolumeModification&) = default;
};

// VOL-14: why the data of a volume may not be what its instance wrote.
enum class VolumeFault {
    stopped,     // the engine stopped it: what its device lost cannot be known
    unreadable,  // it could not be opened
    damaged,     // bytes of it could not be read as they were written
};
constexpr auto enum_names(VolumeFault) {
    return std::to_array<EnumName<VolumeFault>>({{VolumeFault::stopped, "stopped"},
                                                 {VolumeFault::unreadable, "unreadable"},
                                                 {VolumeFault::damaged, "damaged"}});
}

// Noted when it was seen first; until EnableVolumeIO.
struct VolumeEventNote {
    VolumeEventId id;
    VolumeFault fault = VolumeFault::stopped;
    InstanceId instance_id;  // it was attached to then; the first of several
    UnixMillis since;
    friend bool operator==(const VolumeEventNote&, const VolumeEventNote&) = default;
};

struct Volume {
    VolumeId id;
    AccountId owner_id;
    std::string region;
    std::string availability_zone;
    std::string outpost_arn;  // REG-6; empty: in its zone
    VolumeState state = VolumeState::creating;
    std::uint32_t size_gib = 0;
    VolumeType type = VolumeType::gp2;  // BDM-7
    std::optional<std::uint32_t> iops;
    std::optional<std::uint32_t> throughput_mibps;
    bool encrypted = false;
    std::string kms_key_id;
    SnapshotId snapshot_id;  // VOL-13: shown even after the snapshot is gone
    VolumeId source_volume;  // VOL-12: that it was copied from
    std::string lineage;     // SNP-5: of the snapshot it was made from; empty: a new one
    std::optional<SourceImage> source_image;                 // RI-16
    bool fast_restored = false;                              // FS-2
    std::optional<std::uint32_t> initialization_rate_mibps;  // VOL-19: as it was asked for
    ContentId base_content;                                  // empty: over nothing but zeros
    LayerId active_layer;
    bool multi_attach = false;                  // VOL-11
    std::vector<VolumeAttachment> attachments;  // in the order they were made
    std::optional<VolumeModification> modification;
    std::vector<UnixMillis> modified;  // when the last few began
    bool auto_enable_io = false;       // VOL-14
    std::optional<VolumeEventNote> event;
    UnixMillis created;
    friend bool operator==(const Volume&, const Volume&) = default;
};

// What it is now.
VolumeShape shape_of(const Volume& volume);

// The attachment to this instance, or nothing.
const VolumeAttachment* find_attachment(const Volume& volume, const InstanceId& instance);
VolumeAttachment* find_attachment(Volume& volume, const InstanceId& instance);
// The same, of a volume that was found by being attached to it.
const VolumeAttachment& attachment_to(const Volume& volume, const InstanceId& instance);
VolumeAttachment& attachment_to(Volume& volume, const InstanceId& instance);

// The volume is attached to another instance; which of its sockets that one's machine has is chosen
// here. A refusal of the table where it may not be.
Status add_attachment(Volume& volume, VolumeAttachment attachment);
// The attachment to this instance is over; with the last one the volume is available again.
Status end_attachment(Volume& volume, const InstanceId& instance);

using VolumeTransition = Transition<VolumeState, VolumeEvent>;
std::span<const VolumeTransition> volume_transitions();
Result<VolumeState> next(VolumeState state, VolumeEvent event, const VolumeId& id);

using AttachmentTransition = Transition<AttachmentState, AttachmentEvent>;
std::span<const AttachmentTransition> attachment_transitions();
Result<AttachmentState> next(AttachmentState state, AttachmentEvent event, const VolumeId& id);

}  // namespace kiln::model
