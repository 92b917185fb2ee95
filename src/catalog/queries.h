// SPDX-License-Identifier: Apache-2.0
// What a list() may select on. Every condition that is set must hold; an empty vector, text or
// optional is no condition. The values of one vector are alternatives.
//
// Answers are ordered by (created, id), backwards with `page.newest_first`; `page.after` is the
// last item of the page before, so that items created or deleted between two pages neither repeat
// nor hide others (PAG-5). Thread model: plain values.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "model/account.h"
#include "model/content.h"
#include "model/idempotency.h"
#include "model/image.h"
#include "model/image_usage_report.h"
#include "model/instance.h"
#include "model/job.h"
#include "model/key_pair.h"
#include "model/launch_template.h"
#include "model/network.h"
#include "model/parameter.h"
#include "model/region_settings.h"
#include "model/replace_root.h"
#include "model/role.h"
#include "model/snapshot.h"
#include "model/user.h"
#include "model/volume.h"

namespace kiln::catalog {

// Half of what SQLite takes as parameters of one statement (32,766); PostgreSQL takes 65,535.
inline constexpr std::size_t kMaxQueryValues = 16'000;

struct Cursor {
    UnixMillis created{};
    std::string id{};
};

struct Page {
    std::optional<Cursor> after{};
    std::size_t limit = 0;  // 0: everything
    bool newest_first = false;
};

// The resource has a tag of this account with this key, and one of the values if any are given.
// Exact comparison.
struct TagCondition {
    model::AccountId account{};
    std::string key{};
    std::vector<std::string> values{};
};

struct AccountQuery {
    std::vector<model::AccountId> ids{};
    std::optional<bool> administrator{};
    Page page{};
};

struct AccessKeyQuery {
    std::optional<model::AccountId> account{};
    Page page{};
};

struct ImageQuery {
    std::vector<model::ImageId> ids{};
    std::string region{};
    // DI-2: owned by any of these accounts, or under any of these aliases.
    std::vector<model::AccountId> owners{};
    std::vector<std::string> owner_aliases{};
    // Own, public, or shared with this account by a launch permission.
    // The last also through one of the organizations and units of these ARNs, which it is in.
    std::optional<model::AccountId> visible_to{};
    std::vector<std::string> visible_through{};
    // DI-3: shared with any of these accounts, organizations and units by a launch permission, or,
    // if set so, public.
    std::vector<model::AccountId> shared_with{};
    std::vector<std::string> shared_with_organizations{};
    bool or_shared_with_all = false;
    std::optional<bool> everybody{};  // public
    std::vector<model::ImageState> states{};
    std::vector<std::string> names{};
    std::string name_prefix{};
    std::optional<model::SnapshotId> uses_snapshot{};  // SNP-20: in its mapping
    std::vector<TagCondition> tags{};
    Page page{};
};

struct SnapshotQuery {
    std::vector<model::SnapshotId> ids{};
    std::string region{};
    std::vector<model::AccountId> owners{};
    std::vector<model::SnapshotState> states{};
    std::vector<model::VolumeId> volumes{};
    std::optional<model::ContentId> content{};
    std::optional<model::SnapshotSetId> set{};
    // Own, public, or shared with this account.
    std::optional<model::AccountId> visible_to{};
    // Shared with any of these accounts, or, if set so, public.
    std::vector<model::AccountId> shared_with{};
    bool or_shared_with_all = false;
    std::vector<TagCondition> tags{};
    Page page{};
};

struct VolumeQuery {
    std::vector<model::VolumeId> ids{};
    std::string region{};
    std::vector<model::AccountId> owners{};
    std::vector<model::VolumeState> states{};
    std::vector<model::InstanceId> attached_to{};
    std::vector<model::SnapshotId> snapshots{};
    std::optional<model::ContentId> base_content{};
    std::optional<model::LayerId> active_layer{};
    std::vector<TagCondition> tags{};
    Page page{};
};

struct InstanceQuery {
    std::vector<model::InstanceId> ids{};
    std::string region{};
    std::vector<model::AccountId> owners{};
    std::vector<model::InstanceState> states{};
    std::vector<model::ReservationId> reservations{};
    std::vector<model::ImageId> images{};
    std::optional<model::SubnetId> subnet{};
    std::string private_ip{};
    std::optional<UnixMillis> terminated_before{};  // TRM-4: due to disappear
    std::vector<TagCondition> tags{};
    Page page{};
};

struct ReplaceRootTaskQuery {
    std::vector<model::ReplaceRootTaskId> ids{};
    std::string region{};
    std::vector<model::AccountId> owners{};
    std::optional<model::InstanceId> instance{};
    std::vector<model::ReplaceRootState> states{};
    Page page{};
};

struct KeyPairQuery {
    std::vector<model::KeyPairId> ids{};
    std::string region{};
    std::vector<model::AccountId> owners{};
    std::vector<std::string> names{};
    std::vector<TagCondition> tags{};
    Page page{};
};

struct LaunchTemplateQuery {
    std::vector<model::LaunchTemplateId> ids{};
    std::string region{};
    std::vector<model::AccountId> owners{};
    std::vector<std::string> names{};
    Page page{};
};

struct LaunchTemplateVersionQuery {
    std::optional<model::LaunchTemplateId> of{};
    std::vector<std::int64_t> numbers{};
    std::optional<std::int64_t> lowest{};   // and above
    std::optional<std::int64_t> highest{};  // and below
    std::optional<model::ImageId> image{};
    Page page{};
};

struct RoleQuery {
    std::vector<model::RoleId> ids{};
    std::vector<model::AccountId> owners{};
    std::vector<std::string> names{};
    Page page{};
};

struct InstanceProfileQuery {
    std::vector<model::InstanceProfileId> ids{};
    std::vector<model::AccountId> owners{};
    std::vector<std::string> names{};
    std::optional<model::RoleId> role{};
    Page page{};
};

struct UserQuery {
    std::vector<model::UserId> ids{};
    std::vector<model::AccountId> owners{};
    std::vector<std::string> names{};
    Page page{};
};

struct ImageUsageReportQuery {
    std::vector<model::ImageUsageReportId> ids{};
    std::string region{};
    std::vector<model::AccountId> owners{};
    std::vector<model::ImageId> images{};
    Page page{};
};

struct ParameterQuery {
    std::vector<model::ParameterId> ids{};
    std::string region{};
    std::vector<model::AccountId> owners{};
    std::vector<std::string> names{};
    std::string name_prefix{};
    std::vector<model::ImageId> images{};
    Page page{};
};

struct RegionSettingsQuery {
    std::vector<model::RegionSettingsId> ids{};
    std::vector<model::AccountId> accounts{};
    Page page{};
};

struct VpcQuery {
    std::vector<model::VpcId> ids{};
    std::string region{};
    std::vector<model::AccountId> owners{};
    std::optional<bool> is_default{};
    Page page{};
};

struct SubnetQuery {
    std::vector<model::SubnetId> ids{};
    std::string region{};
    std::vector<model::AccountId> owners{};
    std::optional<model::VpcId> vpc{};
    Page page{};
};

struct SecurityGroupQuery {
    std::vector<model::SecurityGroupId> ids{};
    std::string region{};
    std::vector<model::AccountId> owners{};
    std::optional<model::VpcId> vpc{};
    std::vector<std::string> names{};
    Page page{};
};

struct ContentQuery {
    std::vector<model::ContentId> ids{};
    std::vector<model::ContentState> states{};
    std::optional<model::ContentId> parent{};
    std::optional<model::LayerId> layer{};
    std::optional<model::LayerId> spare{};  // one of its spares
    Page page{};
};

struct LayerQuery {
    std::vector<model::LayerState> states{};
    Page page{};
};

struct TokenQuery {
    std::string action{};
    std::string result{};
    std::optional<UnixMillis> created_before{};
    Page page{};
};

struct JobQuery {
    std::vector<std::string> kinds{};
    std::string subject{};
    Page page{};
};

// The place of a tag in the order of Tags::page.
struct TagCursor {
    std::string key{};
    std::string value{};
    std::string resource_id{};
};

struct TagQuery {
    std::optional<model::AccountId> account{};
    std::string region{};
    std::vector<std::string> resource_ids{};
    std::vector<std::string> resource_types{};
    std::vector<std::string> keys{};
    std::vector<std::string> values{};
};

}  // namespace kiln::catalog
