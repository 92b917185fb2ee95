// SPDX-License-Identifier: Apache-2.0
// Quotas: what an account has no room for in its region is refused, with `resource_exhausted` under
// EC2's code (docs/semantics/quotas.md, QT-1 ..). To be asked in the transaction that adds, before
// it adds: so two requests cannot both take the last place (QT-4). A quota that is off costs
// nothing. What the service itself provides has none.
//
// Thread model: functions within a transaction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/instance_types.h"
#include "control/limits.h"
#include "control/volume_plan.h"
#include "model/launch_template.h"
#include "model/volume.h"

namespace kiln::control {

// ResourceLimitExceeded: for one more image.
Status check_image_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller);
// ResourceLimitExceeded: for one more that is public.
Status check_public_image_quota(catalog::Transaction& tx, const Quotas& quotas,
                                const Caller& caller);
// ResourceLimitExceeded: for an image that was shared `before` times and is to be `after` times.
Status check_share_quota(const Quotas& quotas, std::size_t before, std::size_t after);

// SnapshotLimitExceeded: for so many more.
Status check_snapshot_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller,
                            std::size_t more);
// ServiceQuotaExceededException: for one more snapshot whose blocks are to be put.
Status check_upload_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller);
// Which of the two quotas of pending snapshots is for volumes of this type.
Quota pending_quota(model::VolumeType type);
// ConcurrentSnapshotLimitExceeded: for one more pending snapshot of this volume.
Status check_pending_quota(catalog::Transaction& tx, const Quotas& quotas,
                           const model::Volume& volume);
Error too_many_pending();

// VolumeLimitExceeded: for one more volume.
Status check_volume_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller,
                          const model::EbsBlockDevice& volume);
// VolumeLimitExceeded: for a volume that is to be of this size, which is not less than it has, and
// type.
Status check_change_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller,
                          const model::Volume& volume, const model::VolumeShape& target);

// RUN-1: how many instances of this type, each with these volumes, there is room for, at most
// `wanted`. InstanceLimitExceeded, VcpuLimitExceeded, VolumeLimitExceeded when fewer than `least`.
Result<std::size_t> find_room(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller,
                              const InstanceType& type, const std::vector<VolumePlan>& volumes,
                              std::size_t least, std::size_t wanted);

// KeyPairLimitExceeded, MaxTemplateLimitExceeded, MaxTemplateVersionLimitExceeded: for one more.
Status check_key_pair_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller);
Status check_template_quota(catalog::Transaction& tx, const Quotas& quotas, const Caller& caller);
Status check_version_quota(const Quotas& quotas, const model::LaunchTemplate& of);

}  // namespace kiln::control
