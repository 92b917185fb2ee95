// SPDX-License-Identifier: Apache-2.0
// From a typed query to the SQL that selects: the conditions, the order (created, id), the page.
//
// Values always travel as parameters, names always come from our own source.
// Thread model: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/detail/codec.h"
#include "catalog/queries.h"

namespace kiln::catalog::detail {

class Conditions {
  public:
    template <Scalar T>
    void equal(std::string_view column, const T& value) {
        add(std::string(column) + " = ?");
        params_.push_back(to_sql(value));
    }
    // The next three: no condition when there is no value.
    template <Scalar T>
    void equal(std::string_view column, const std::optional<T>& value) {
        if (value) {
            equal(column, *value);
        }
    }
    void text(std::string_view column, const std::string& value) {
        if (!value.empty()) {
            equal(column, value);
        }
    }
    template <class T>
    void any_of(std::string_view column, const std::vector<T>& values) {
        if (values.size() == 1) {
            equal(column, values[0]);
        } else if (!values.empty()) {
            add(in(column, values.size()));
            for (const T& value : values) {
                params_.push_back(to_sql(value));
            }
        }
    }
    void before(std::string_view column, const std::optional<UnixMillis>& time);
    void prefix(std::string_view column, const std::string& value);
    void link(std::string_view kind, const std::string& target);
    // Any of the conditions, each as it stands.
    void either(const std::vector<Statement>& alternatives);
    void tags(const std::vector<TagCondition>& conditions);
    void raw(std::string_view text, std::vector<SqlValue> params);

    // "SELECT columns FROM table WHERE ... ORDER BY created, id LIMIT ..."
    Statement page(std::string_view columns, std::string_view table, const Page& page) &&;
    // The same without order and limit; `tail` goes to the end.
    Statement select(std::string_view columns, std::string_view table, std::string_view tail) &&;

  private:
    void add(std::string_view condition);
    static std::string in(std::string_view column, std::size_t count);

    std::string where_;
    std::vector<SqlValue> params_;
};

Conditions conditions(const AccountQuery& query);
Conditions conditions(const AccessKeyQuery& query);
Conditions conditions(const ImageQuery& query);
Conditions conditions(const SnapshotQuery& query);
Conditions conditions(const VolumeQuery& query);
Conditions conditions(const InstanceQuery& query);
Conditions conditions(const ReplaceRootTaskQuery& query);
Conditions conditions(const KeyPairQuery& query);
Conditions conditions(const RegionSettingsQuery& query);
Conditions conditions(const LaunchTemplateQuery& query);
Conditions conditions(const LaunchTemplateVersionQuery& query);
Conditions conditions(const RoleQuery& query);
Conditions conditions(const InstanceProfileQuery& query);
Conditions conditions(const UserQuery& query);
Conditions conditions(const ImageUsageReportQuery& query);
Conditions conditions(const ParameterQuery& query);
Conditions conditions(const VpcQuery& query);
Conditions conditions(const SubnetQuery& query);
Conditions conditions(const SecurityGroupQuery& query);
Conditions conditions(const ContentQuery& query);
Conditions conditions(const LayerQuery& query);
Conditions conditions(const TokenQuery& query);
Conditions conditions(const JobQuery& query);
Conditions conditions(const TagQuery& query);
// Tags::page.
Statement tag_page(const TagQuery& query, const std::optional<TagCursor>& after, std::size_t limit);

}  // namespace kiln::catalog::detail
