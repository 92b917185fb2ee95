// SPDX-License-Identifier: Apache-2.0
#include "control/image_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/filter.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr int kYearsOfPublicImages = 2;
// ITS-2: as EC2 has it of the instance types of an attribute-based request.
constexpr std::size_t kMostTypePatterns = 400;
constexpr std::size_t kMaxTypePattern = 30;

bool is_type_pattern(std::string_view pattern) {
    constexpr std::string_view kPunctuation = ".-*";
    return !pattern.empty() && pattern.size() <= kMaxTypePattern &&
           std::all_of(pattern.begin(), pattern.end(), [&](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      kPunctuation.find(c) != std::string_view::npos;
           });
}

bool has_match(const std::vector<std::string>& patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return wildcard_match(pattern, name); });
}

}  // namespace

bool is_valid_image_name(std::string_view name) {
    constexpr std::string_view kPunctuation = "()[] ./-'@_";
    return name.size() >= 3 && name.size() <= 128 &&
           std::all_of(name.begin(), name.end(), [&](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      kPunctuation.find(c) != std::string_view::npos;
           });
}

Status check_image_description(std::string_view description) {
    if (character_count(description) > kMaxImageDescription) {
        return errors::invalid_parameter_value(
            fmt::format("The description is longer than {} characters.", kMaxImageDescription));
    }
    return ok();
}

std::string image_location(const model::Account& owner, std::string_view name) {
    return fmt::format("{}/{}", owner.alias.empty() ? owner.id.str() : owner.alias, name);
}

bool may_use(const model::Image& image, const Caller& caller) {
    const model::Sharing& sharing = image.launch_permissions;
    return image.owner_id == caller.account || sharing.everybody || sharing.names(caller.account) ||
           sharing.names_any(caller.organizations);
}

bool is_deprecated(const model::Image& image, UnixMillis now) {
    return image.deprecation_time && *image.deprecation_time <= now;
}

UnixMillis rounded_to_minute(UnixMillis time) {
    return UnixMillis{(time.value + kMinute / 2) / kMinute * kMinute};
}

UnixMillis whole_minute(UnixMillis time) {
    return UnixMillis{time.value / kMinute * kMinute};
}

UnixMillis add_years(UnixMillis time, int years) {
    namespace chrono = std::chrono;
    const chrono::sys_time<chrono::milliseconds> instant{chrono::milliseconds(time.value)};
    const auto day = chrono::floor<chrono::days>(instant);
    chrono::year_month_day date = chrono::year_month_day(day) + chrono::years(years);
    if (!date.ok()) {  // 29 February
        date = date.year() / date.month() / chrono::last;
    }
    const auto moved = chrono::sys_days(date) + (instant - day);
    return UnixMillis{moved.time_since_epoch().count()};
}

UnixMillis last_deprecation_of_public(const model::Image& image) {
    return rounded_to_minute(add_years(image.created, kYearsOfPublicImages));
}

bool is_protected(const model::Image& image, UnixMillis now) {
    return image.deregistration_protection != model::DeregistrationProtection::disabled ||
           (image.cooldown_until && now < *image.cooldown_until);
}

std::string protection_text(const model::Image& image, UnixMillis now) {
    if (image.deregistration_protection == model::DeregistrationProtection::disabled &&
        image.cooldown_until && now < *image.cooldown_until) {
        return "disabled after " + whole_seconds(*image.cooldown_until);
    }
    return std::string(model::to_string(image.deregistration_protection));
}

Status check_instance_types(const model::InstanceTypeSpecification& specification) {
    for (const auto* patterns : {&specification.supported, &specification.unsupported}) {
        if (patterns->size() > kMostTypePatterns) {
            return errors::invalid_parameter_value(fmt::format(
                "At most {} instance types may be supported or unsupported.", kMostTypePatterns));
        }
        for (const std::string& pattern : *patterns) {
            if (!is_type_pattern(pattern)) {
                return errors::invalid_parameter_value(fmt::format(
                    "Invalid value '{}' for an instance type. It has 1 to {} of the characters "
                    "a-z, 0-9, '.', '-' and '*', which stands for any text.",
                    pattern, kMaxTypePattern));
            }
        }
    }
    return ok();
}

Status check_runs_on(const model::Image& image, std::string_view instance_type) {
    const auto& [supported, unsupported] = image.instance_types;
    if (has_match(unsupported, instance_type) ||
        (!supported.empty() && !has_match(supported, instance_type))) {
        return errors::invalid_parameter_combination(
            fmt::format("The instance type '{}' is not supported by the image '{}', whose owner "
                        "says on which instance types it runs.",
                        instance_type, image.id.str()));
    }
    return ok();
}

std::string whole_seconds(UnixMillis time) {
    return format_iso8601(UnixMillis{time.value / kSecond * kSecond});
}

}  // namespace kiln::control
