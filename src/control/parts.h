// SPDX-License-Identifier: Apache-2.0
// Parts: what the use cases are made over, joined by the daemon, and the few settings they share.
// Thread model: immutable; everything it refers to is thread-safe and outlives the use cases.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "block/engine.h"
#include "catalog/store.h"
#include "compute/hypervisor.h"
#include "control/limits.h"
#include "control/topology.h"
#include "io/clock.h"
#include "model/ids.h"
#include "model/instance.h"
#include "model/volume.h"

namespace kiln::control {

inline constexpr std::uint64_t kGiB = 1ULL << 30;

struct Settings {
    std::string instances_directory;  // one directory per instance: runtime record, serial log
    std::string runtime_directory;    // short: unix sockets, at most 107 bytes with
                                      // "/<instance>/<volume>.sock"
    // Of instances that are launched from now on.
    model::DiskTransport disk_transport = model::DiskTransport::nbd;
    // D21: what a guest is really given, whatever its type says; 0: what the type says.
    std::uint64_t guest_memory_cap_mib = 0;
    double memory_overcommit = 1.0;
    // How long a guest may take to power off after the button was pressed, before it is switched
    // off.
    std::chrono::milliseconds shutdown_grace = std::chrono::seconds(120);
    // TRM-4: how long a terminated instance is still described.
    std::chrono::milliseconds terminated_kept = std::chrono::hours(1);
    // D8: with more sealed layers than this below it that are not destaged, a snapshot waits.
    std::size_t max_undestaged_layers = 64;
    // Garbage collection: how often it runs by itself, and how long a pack that nothing names is
    // kept for reads that are under way.
    std::chrono::milliseconds gc_period = std::chrono::hours(1);
    std::chrono::milliseconds gc_grace = std::chrono::minutes(1);
    // A pack of which less than this part is needed is emptied by copying that, at this rate (read
    // and written); 0: never.
    unsigned compact_below_percent = 50;
    std::uint64_t compact_bytes_per_second = 32ULL << 20;
    // How often all packs are read to look for damage, and how fast; 0: never.
    std::chrono::milliseconds scrub_period = std::chrono::hours(24 * 7);
    std::uint64_t scrub_bytes_per_second = 16ULL << 20;
    // VOL-16: volumes are as fast as their types say, and no faster.
    bool enforce_volume_limits = false;
    Quotas quotas = kDefaultQuotas;  // QT-1
};

struct Parts {
    catalog::Store& store;
    block::Engine& engine;
    compute::Hypervisor& hypervisor;
    io::Clock& clock;
    io::Rng& rng;
    const Topology& topology;
    const Settings& settings;
    block::SpaceReserve& space;
};

// The same id as each layer of the program knows it.
inline block::VolumeId block_id(const model::VolumeId& id) {
    return block::VolumeId(id.str());
}
inline block::LayerId block_id(const model::LayerId& id) {
    return block::LayerId(id.str());
}
inline block::ContentId block_id(const model::ContentId& id) {
    return block::ContentId(id.str());
}
inline compute::MachineId machine_id(const model::InstanceId& id) {
    return compute::MachineId(id.str());
}

}  // namespace kiln::control
