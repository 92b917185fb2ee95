// SPDX-License-Identifier: Apache-2.0
// Limits: how fast an account may ask, and how much it may have (docs/semantics/quotas.md), as
// `kiln serve --limits FILE` sets them. Thread model: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kiln::control {

enum class RequestClass { reads, writes, heavy, blocks };
inline constexpr std::array<std::string_view, 4> kRequestClassNames{"reads", "writes", "heavy",
                                                                    "blocks"};

// So many requests at once, and so many a second after that.
struct Rate {
    double burst = 1;
    double per_second = 1;
    friend bool operator==(const Rate&, const Rate&) = default;
};

// Of one account in one region, by class; none: no limit.
struct RequestRates {
    std::array<std::optional<Rate>, kRequestClassNames.size()> rates{};

    const std::optional<Rate>& of(RequestClass kind) const {
        return rates[static_cast<std::size_t>(kind)];
    }
    friend bool operator==(const RequestRates&, const RequestRates&) = default;
};

// THR-2: far above what tools need, so that none of them meets it; a client that runs away does.
inline constexpr RequestRates kDefaultRates{
    {Rate{20'000, 5'000}, Rate{10'000, 2'000}, Rate{5'000, 1'000}, Rate{40'000, 20'000}}};
// Of the order of EC2's, which differ from operation to operation: for trying how clients take it.
inline constexpr RequestRates kEc2Rates{
    {Rate{100, 20}, Rate{50, 5}, Rate{10, 2}, Rate{1'000, 1'000}}};
inline constexpr RequestRates kNoRates{};

enum class Quota {
    images,
    public_images,
    image_shares,  // of one image
    snapshots,
    pending_snapshots,       // of one volume
    pending_cold_snapshots,  // of one volume of the types st1 and sc1
    pending_uploads,         // snapshots whose blocks are being put
    volumes,
    volume_type_gib,  // of all volumes of one type together
    instances,        // that run
    vcpus,            // of these
    key_pairs,
    launch_templates,
    template_versions,  // of one template
};
inline constexpr std::array<std::string_view, 14> kQuotaNames{"images",
                                                              "publicImages",
                                                              "sharesPerImage",
                                                              "snapshots",
                                                              "pendingSnapshotsPerVolume",
                                                              "pendingSnapshotsPerColdVolume",
                                                              "pendingUploads",
                                                              "volumes",
                                                              "gibPerVolumeType",
                                                              "instances",
                                                              "vcpus",
                                                              "keyPairs",
                                                              "launchTemplates",
                                                              "versionsPerLaunchTemplate"};

// What an account may have in a region at most (QT-1), by quota; none: as much as there is room
// for.
struct Quotas {
    std::array<std::optional<std::uint32_t>, kQuotaNames.size()> most{};

    constexpr const std::optional<std::uint32_t>& of(Quota quota) const {
        return most[static_cast<std::size_t>(quota)];
    }
    constexpr Quotas with(Quota quota, std::optional<std::uint32_t> value) const {
        Quotas changed = *this;
        changed.most[static_cast<std::size_t>(quota)] = value;
        return changed;
    }
    friend bool operator==(const Quotas&, const Quotas&) = default;
};

inline constexpr Quotas kNoQuotas{};
// QT-2: those that a client may know as facts of EC2, or that keep a chain of snapshots short.
inline constexpr Quotas kDefaultQuotas = kNoQuotas.with(Quota::image_shares, 1'000)
                                             .with(Quota::pending_snapshots, 5)
                                             .with(Quota::pending_cold_snapshots, 1)
                                             .with(Quota::key_pairs, 5'000)
                                             .with(Quota::launch_templates, 5'000)
                                             .with(Quota::template_versions, 10'000);
// What EC2 gives a new account.
inline constexpr Quotas kEc2Quotas = kDefaultQuotas.with(Quota::images, 50'000)
                                         .with(Quota::public_images, 5)
                                         .with(Quota::snapshots, 100'000)
                                         .with(Quota::pending_uploads, 100)
                                         .with(Quota::volume_type_gib, 50 << 10)
                                         .with(Quota::vcpus, 5);

struct Limits {
    RequestRates requests = kDefaultRates;
    Quotas quotas = kDefaultQuotas;
    friend bool operator==(const Limits&, const Limits&) = default;
};

}  // namespace kiln::control
