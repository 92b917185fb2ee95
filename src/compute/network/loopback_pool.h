// SPDX-License-Identifier: Apache-2.0
// LoopbackPool: the 127.x addresses this host's instances are reached at, each the one of a single
// running instance (D20). Blocks are taken as they are needed (loopback_block.h); a block that
// another store on this host has claimed is passed over.
//
// A block is claimed by a name in the abstract unix socket space, which like the loopback addresses
// belongs to the network namespace, and which the kernel gives back however this process ends.
// Which instance has which address is in the catalog: after a start, hold() says it again.
//
// Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "compute/network/address.h"
#include "util/mutex.h"

namespace kiln::compute {

class LoopbackPool {
  public:
    // Whether a block is ours from now on; asked once for each.
    using Claim = std::function<bool(const Cidr& block)>;
    LoopbackPool(std::string store_uuid, Claim claim)
        : store_uuid_(std::move(store_uuid)), claim_(std::move(claim)) {}

    // resource_exhausted when every block is taken.
    Result<Ipv4> take() EXCLUDES(mutex_);
    // In use since an earlier run of the service; its block is claimed if nobody has it.
    void hold(Ipv4 address) EXCLUDES(mutex_);
    void give_back(Ipv4 address) EXCLUDES(mutex_);

  private:
    bool is_ours(const Cidr& block) REQUIRES(mutex_);

    const std::string store_uuid_;
    const Claim claim_;
    Mutex mutex_;
    std::map<Cidr, bool> blocks_ GUARDED_BY(mutex_);  // asked for: ours?
    std::set<Ipv4> used_ GUARDED_BY(mutex_);
};

// Claims in this network namespace, kept as long as the function lives.
LoopbackPool::Claim claim_by_socket();

}  // namespace kiln::compute
