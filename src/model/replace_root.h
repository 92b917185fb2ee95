// SPDX-License-Identifier: Apache-2.0
// ReplaceRootTask: a root volume that is being exchanged, or was. Until the new one is
// attached the old one is; from `switched` on it is the other way round, and what is left to do is
// to let the machine go on. Thread model: plain values.
#pragma once

#include <optional>
#include <string>

#include "model/ids.h"
#include "model/names.h"
#include "util/time.h"

namespace kiln::model {

enum class ReplaceRootState {
    pending,
    in_progress,
    failing,
    succeeded,
    failed,
    failed_detached,
};
constexpr auto enum_names(ReplaceRootState) {
    return std::to_array<EnumName<ReplaceRootState>>(
        {{ReplaceRootState::pending, "pending"},
         {ReplaceRootState::in_progress, "in-progress"},
         {ReplaceRootState::failing, "failing"},
         {ReplaceRootState::succeeded, "succeeded"},
         {ReplaceRootState::failed, "failed"},
         {ReplaceRootState::failed_detached, "failed-detached"}});
}
constexpr bool is_over(ReplaceRootState state) {
    return state == ReplaceRootState::succeeded || state == ReplaceRootState::failed ||
           state == ReplaceRootState::failed_detached;
}

struct ReplaceRootTask {
    ReplaceRootTaskId id;
    AccountId owner_id;
    std::string region;
    InstanceId instance_id;
    ReplaceRootState state = ReplaceRootState::pending;
    SnapshotId snapshot_id;  // asked for, or that of the image or the launch
    ImageId image_id;        // asked for; empty without
    VolumeId old_root;
    VolumeId new_root;
    bool volume_given = false;  // the new root was there before the task
    bool delete_replaced_root = false;
    bool switched = false;
    std::string failure;  // for the log and for whoever looks closer
    UnixMillis created;   // its start
    std::optional<UnixMillis> completed;
    friend bool operator==(const ReplaceRootTask&, const ReplaceRootTask&) = default;
};

}  // namespace kiln::model
