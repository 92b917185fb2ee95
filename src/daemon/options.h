// SPDX-License-Identifier: Apache-2.0
// The settings of `kiln serve`. Thread model: plain value.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "api/console/console_files.h"

namespace kiln::daemon {

struct ServeOptions {
    std::string data_directory;
    std::string listen = "127.0.0.1:4566";
    bool ephemeral = false;
    std::vector<std::string> command;     // of --ephemeral: run once ready; its end is ours
    std::string hypervisor = "qemu";      // or "fake"
    std::string accelerator = "auto";     // or "kvm", "tcg"
    std::string disk_transport = "nbd";   // or "vhost-user"
    std::string runtime_directory;        // empty: chosen from the store's uuid
    std::string topology_file;            // empty: the built-in regions and zones
    std::string limits_file;              // empty: the built-in limits
    std::string provided_images;          // directory; empty: found beside the program; "none"
    std::string network_driver = "auto";  // or "user", "tun"
    std::string public_pool;              // "203.0.113.0/24", for `tun`; empty: none
    // Of the fake hypervisor; 0: without limit.
    std::uint64_t fake_memory_mib = 0;
    std::uint64_t guest_memory_cap_mib = 0;
    double memory_overcommit = 1.0;
    std::uint32_t shutdown_grace_s = 120;
    std::uint32_t terminated_kept_s = 3600;
    std::uint32_t gc_grace_s = 60;
    std::uint32_t scrub_period_s = 7 * 24 * 3600;
    std::uint32_t scrub_mib_per_second = 16;
    bool enforce_volume_limits = false;
    std::uint64_t total_iops = 0;  // of all guests' disks together; 0: no limit
    std::uint64_t total_mib_per_second = 0;
    std::uint32_t compact_mib_per_second = 32;
    std::string tls_certificate;  // PEM files; both or neither
    std::string tls_key;
    unsigned reactors = 0;  // threads for guests' disks; 0: one for each processor
    std::string reserve;    // "10%", "3GiB"; empty: 5 %, at least 2 GiB
    std::span<const api::ConsoleFile> console;
    int ready_fd = -1;
    bool verbose = false;
    std::string log_format = "text";  // or "json"
};

}  // namespace kiln::daemon
