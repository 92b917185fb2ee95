// SPDX-License-Identifier: Apache-2.0
#include "catalog/addresses.h"

#include "catalog/detail/codec.h"
#include "catalog/detail/sql.h"

namespace kiln::catalog {

using namespace detail;

Result<std::vector<std::string>> Addresses::taken(const model::SubnetId& subnet) {
    TRY_ASSIGN(auto rows, session_.query({"SELECT private_ip FROM instances WHERE subnet = ? AND "
                                          "private_ip <> ''",
                                          {subnet.str()}}));
    std::vector<std::string> found;
    found.reserve(rows.size());
    for (SqlRow& row : rows) {
        if (row.size() != 1 || !from_sql(row[0], found.emplace_back())) {
            return Error(Code::data_loss, "instances: a row is not readable");
        }
    }
    return found;
}

Result<std::map<model::SubnetId, std::uint32_t>> Addresses::count(const std::string& region,
                                                                  const model::AccountId& owner) {
    TRY_ASSIGN(auto rows,
               session_.query({"SELECT subnet, COUNT(*) FROM instances WHERE region = ? AND "
                               "owner = ? AND private_ip <> '' GROUP BY subnet",
                               {region, owner.str()}}));
    std::map<model::SubnetId, std::uint32_t> found;
    for (SqlRow& row : rows) {
        std::string subnet;
        std::uint32_t count = 0;
        if (row.size() != 2 || !from_sql(row[0], subnet) || !from_sql(row[1], count)) {
            return Error(Code::data_loss, "instances: a row is not readable");
        }
        found[model::SubnetId(subnet)] = count;
    }
    return found;
}

}  // namespace kiln::catalog
