// SPDX-License-Identifier: Apache-2.0
#include "compute/network/flow_table.h"

#include "compute/network/frame.h"

namespace kiln::compute {
namespace {

std::chrono::seconds idle_limit(std::uint8_t protocol) {
    switch (protocol) {
        case kTcp:
            return std::chrono::hours(1);
        case kUdp:
            return std::chrono::minutes(3);
        default:
            return std::chrono::seconds(30);
    }
}

}  // namespace

bool FlowTable::touch(const FlowKey& key, Time now) {
    const auto found = index_.find(key);
    if (found == index_.end()) {
        return false;
    }
    const auto flow = found->second;
    if (now - flow->used > idle_limit(key.protocol)) {
        flows_.erase(flow);
        index_.erase(found);
        return false;
    }
    flow->used = now;
    flows_.splice(flows_.begin(), flows_, flow);
    return true;
}

void FlowTable::insert(const FlowKey& key, Time now) {
    if (touch(key, now)) {
        return;
    }
    if (index_.size() >= limit_) {
        index_.erase(flows_.back().key);
        flows_.pop_back();
    }
    flows_.push_front({key, now});
    index_.emplace(key, flows_.begin());
}

void FlowTable::forget(const std::function<bool(Ipv4)>& gone) {
    for (auto flow = flows_.begin(); flow != flows_.end();) {
        if (gone(flow->key.remote)) {
            index_.erase(flow->key);
            flow = flows_.erase(flow);
        } else {
            ++flow;
        }
    }
}

}  // namespace kiln::compute
