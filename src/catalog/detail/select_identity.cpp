// SPDX-License-Identifier: Apache-2.0
// The conditions on users, and on what accounts keep beside their resources.
#include "catalog/detail/select.h"

namespace kiln::catalog::detail {

Conditions conditions(const UserQuery& query) {
    Conditions where;
    where.any_of("id", query.ids);
    where.any_of("owner", query.owners);
    where.any_of("name", query.names);
    return where;
}

Conditions conditions(const ImageUsageReportQuery& query) {
    Conditions where;
    where.any_of("id", query.ids);
    where.text("region", query.region);
    where.any_of("owner", query.owners);
    where.any_of("image", query.images);
    return where;
}

Conditions conditions(const ParameterQuery& query) {
    Conditions where;
    where.any_of("id", query.ids);
    where.text("region", query.region);
    where.any_of("owner", query.owners);
    where.any_of("name", query.names);
    where.prefix("name", query.name_prefix);
    where.any_of("image", query.images);
    return where;
}

}  // namespace kiln::catalog::detail
