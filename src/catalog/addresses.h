// SPDX-License-Identifier: Apache-2.0
// Addresses: which private addresses instances have, within one transaction, without the instances:
// a launch asks each time, and to read a thousand rows takes longer than all else it does.
//
// Errors as for Repository. One owner thread: the one that runs the transaction.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/ids.h"
#include "util/result.h"

namespace kiln::catalog {

namespace detail {
class SqlSession;
}

class Addresses {
  public:
    explicit Addresses(detail::SqlSession& session) : session_(session) {}

    // Of all instances in the subnet, in no useful order.
    Result<std::vector<std::string>> taken(const model::SubnetId& subnet);
    // How many the instances of an account have in a region, by subnet. One without any is not in
    // the map.
    Result<std::map<model::SubnetId, std::uint32_t>> count(const std::string& region,
                                                           const model::AccountId& owner);

  private:
    detail::SqlSession& session_;
};

}  // namespace kiln::catalog
