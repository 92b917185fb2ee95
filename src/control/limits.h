// SPDX-License-Identifier: Apache-2.0
// Limits: how fast an account may ask, and how much it may have (docs/semantics/quotas.md), as
// `kiln serve --limits FILE` sets them. Thread model: plain values.
#pragma once

#include <array>
#include <cstddef>
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

struct Limits {
    RequestRates requests = kDefaultRates;
    friend bool operator==(const Limits&, const Limits&) = default;
};

}  // namespace kiln::control
