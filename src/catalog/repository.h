// SPDX-License-Identifier: Apache-2.0
// Repository<T>: the rows of one kind of thing within one transaction.
//
// Values go in and out whole: read one, change it, update() it. Two transactions that do so with
// the same row are serial, the later one sees what the earlier one wrote. After any error but
// `not_found` and an insert's `already_exists` the transaction can only be given up: return the
// error.
//
// One owner thread: the one that runs the transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "catalog/queries.h"
#include "util/result.h"

namespace kiln::catalog {

namespace detail {
class SqlSession;
}

// The types of id and query that belong to a kind of row.
template <class T>
struct Entity;
template <>
struct Entity<model::Account> {
    using Id = model::AccountId;
    using Query = AccountQuery;
};
template <>
struct Entity<model::AccessKey> {
    using Id = model::AccessKeyId;
    using Query = AccessKeyQuery;
};
template <>
struct Entity<model::Image> {
    using Id = model::ImageId;
    using Query = ImageQuery;
};
template <>
struct Entity<model::Snapshot> {
    using Id = model::SnapshotId;
    using Query = SnapshotQuery;
};
template <>
struct Entity<model::Volume> {
    using Id = model::VolumeId;
    using Query = VolumeQuery;
};
template <>
struct Entity<model::Instance> {
    using Id = model::InstanceId;
    using Query = InstanceQuery;
};
template <>
struct Entity<model::ReplaceRootTask> {
    using Id = model::ReplaceRootTaskId;
    using Query = ReplaceRootTaskQuery;
};
template <>
struct Entity<model::KeyPair> {
    using Id = model::KeyPairId;
    using Query = KeyPairQuery;
};
template <>
struct Entity<model::LaunchTemplate> {
    using Id = model::LaunchTemplateId;
    using Query = LaunchTemplateQuery;
};
template <>
struct Entity<model::LaunchTemplateVersion> {
    using Id = model::LaunchTemplateVersionId;
    using Query = LaunchTemplateVersionQuery;
};
template <>
struct Entity<model::Role> {
    using Id = model::RoleId;
    using Query = RoleQuery;
};
template <>
struct Entity<model::User> {
    using Id = model::UserId;
    using Query = UserQuery;
};
template <>
struct Entity<model::ImageUsageReport> {
    using Id = model::ImageUsageReportId;
    using Query = ImageUsageReportQuery;
};
template <>
struct Entity<model::StoredParameter> {
    using Id = model::ParameterId;
    using Query = ParameterQuery;
};
template <>
struct Entity<model::InstanceProfile> {
    using Id = model::InstanceProfileId;
    using Query = InstanceProfileQuery;
};
template <>
struct Entity<model::RegionSettings> {
    using Id = model::RegionSettingsId;
    using Query = RegionSettingsQuery;
};
template <>
struct Entity<model::Vpc> {
    using Id = model::VpcId;
    using Query = VpcQuery;
};
template <>
struct Entity<model::Subnet> {
    using Id = model::SubnetId;
    using Query = SubnetQuery;
};
template <>
struct Entity<model::SecurityGroup> {
    using Id = model::SecurityGroupId;
    using Query = SecurityGroupQuery;
};
template <>
struct Entity<model::Content> {
    using Id = model::ContentId;
    using Query = ContentQuery;
};
template <>
struct Entity<model::LayerRecord> {
    using Id = model::LayerId;
    using Query = LayerQuery;
};
template <>
struct Entity<model::IdempotencyToken> {
    using Id = model::TokenId;
    using Query = TokenQuery;
};
template <>
struct Entity<model::Job> {
    using Id = model::JobId;
    using Query = JobQuery;
};

template <class T>
class Repository {
  public:
    using Id = typename Entity<T>::Id;
    using Query = typename Entity<T>::Query;

    explicit Repository(detail::SqlSession& session) : session_(session) {}

    // `already_exists` when the id, or something else that must be unique (an image's name, a
    // key pair's, a subnet's address), is taken.
    Status insert(const T& value);
    Result<std::optional<T>> find(const Id& id);
    // `not_found` instead of nothing.
    Result<T> get(const Id& id);
    // `not_found`; `already_exists` as insert, but then the transaction is lost.
    Status update(const T& value);
    // `not_found`. Tags and other rows that name it are the caller's to remove.
    Status erase(const Id& id);
    Result<std::vector<T>> list(const Query& query);
    // How many list() would give without the page. Where an index has all that the query asks for,
    // no row is read.
    Result<std::uint64_t> count(const Query& query);

  private:
    detail::SqlSession& session_;
};

}  // namespace kiln::catalog
