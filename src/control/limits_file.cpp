// SPDX-License-Identifier: Apache-2.0
#include "control/limits_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "control/config_json.h"
#include "util/fs.h"

namespace kiln::control {
namespace {

using nlohmann::json;

// More than any machine answers, and a number that stays exact as long as the machine runs.
constexpr double kMostRequests = 1e6;
// A bucket that is filled once in a quarter of an hour.
constexpr double kLeastRate = 0.001;
// More than any account has of anything.
constexpr std::uint32_t kMostOfAnything = 1'000'000'000;

constexpr std::array<std::string_view, 2> kMembers{"requests", "quotas"};
constexpr std::array<std::string_view, 2> kRateMembers{"burst", "perSecond"};
constexpr char kWholeOrObject[] = "must be \"off\", \"ec2\" or an object";

Status check_members(const json& object, const std::string& where,
                     std::span<const std::string_view> known) {
    if (!object.is_object()) {
        return wrong_config(where, "must be an object");
    }
    for (const auto& [name, value] : object.items()) {
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return wrong_config(where, fmt::format("has an unknown member '{}'", name));
        }
    }
    return ok();
}

Result<double> number_of(const json& object, const char* name, const std::string& where,
                         double least) {
    const auto found = object.find(name);
    const std::string place = where + "." + name;
    if (found == object.end()) {
        return wrong_config(place, "is missing");
    }
    if (!found->is_number() || found->get<double>() < least ||
        found->get<double>() > kMostRequests) {
        return wrong_config(place,
                            fmt::format("must be a number from {} to {}", least, kMostRequests));
    }
    return found->get<double>();
}

Result<std::optional<Rate>> rate_of(const json& value, const std::string& where) {
    if (value == "off") {
        return std::optional<Rate>();
    }
    if (!value.is_object()) {
        return wrong_config(where, "must be \"off\" or an object");
    }
    TRY(check_members(value, where, kRateMembers));
    Rate rate;
    TRY_ASSIGN(rate.burst, number_of(value, "burst", where, 1));
    TRY_ASSIGN(rate.per_second, number_of(value, "perSecond", where, kLeastRate));
    return std::optional<Rate>(rate);
}

Result<RequestRates> rates_of(const json& value) {
    if (value == "off") {
        return kNoRates;
    }
    if (value == "ec2") {
        return kEc2Rates;
    }
    if (!value.is_object()) {
        return wrong_config("requests", kWholeOrObject);
    }
    TRY(check_members(value, "requests", kRequestClassNames));
    RequestRates rates = kDefaultRates;
    for (std::size_t i = 0; i < kRequestClassNames.size(); ++i) {
        const std::string name(kRequestClassNames[i]);
        if (const auto found = value.find(name); found != value.end()) {
            TRY_ASSIGN(rates.rates[i], rate_of(*found, "requests." + name));
        }
    }
    return rates;
}

Result<std::optional<std::uint32_t>> quota_of(const json& value, const std::string& where) {
    if (value == "off") {
        return std::optional<std::uint32_t>();
    }
    // A negative number is of another kind than an unsigned one.
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kMostOfAnything) {
        return wrong_config(
            where, fmt::format("must be \"off\" or a whole number from 0 to {}", kMostOfAnything));
    }
    return std::optional(value.get<std::uint32_t>());
}

Result<Quotas> quotas_of(const json& value) {
    if (value == "off") {
        return kNoQuotas;
    }
    if (value == "ec2") {
        return kEc2Quotas;
    }
    if (!value.is_object()) {
        return wrong_config("quotas", kWholeOrObject);
    }
    TRY(check_members(value, "quotas", kQuotaNames));
    Quotas quotas = kDefaultQuotas;
    for (std::size_t i = 0; i < kQuotaNames.size(); ++i) {
        const std::string name(kQuotaNames[i]);
        if (const auto found = value.find(name); found != value.end()) {
            TRY_ASSIGN(quotas.most[i], quota_of(*found, "quotas." + name));
        }
    }
    return quotas;
}

}  // namespace

Result<Limits> parse_limits(std::string_view text) {
    TRY(check_config(text));
    const json document = json::parse(text);
    TRY(check_members(document, "the document", kMembers));
    Limits limits;
    if (const auto requests = document.find("requests"); requests != document.end()) {
        TRY_ASSIGN(limits.requests, rates_of(*requests));
    }
    if (const auto quotas = document.find("quotas"); quotas != document.end()) {
        TRY_ASSIGN(limits.quotas, quotas_of(*quotas));
    }
    return limits;
}

Result<Limits> load_limits(const std::string& path) {
    TRY_ASSIGN(const std::string text, read_file(path, kMaxConfigBytes), "limits file");
    TRY_ASSIGN(auto limits, parse_limits(text), "limits file " + path);
    return limits;
}

}  // namespace kiln::control
