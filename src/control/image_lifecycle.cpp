// SPDX-License-Identifier: Apache-2.0
// The end of an image and what leads to it: deregistration, its protection, disabling, deprecation
// (section 16 of the rules).
#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/images.h"

namespace kiln::control {
namespace {

constexpr std::int64_t kCooldownMillis = 24LL * 60 * 60 * 1000;  // DR-7
constexpr int kMaxDeprecationYears = 10;                         // DR-10

Error protected_error(const model::ImageId& id, const std::string& protection) {
    return Error::api(Code::permission_denied, "OperationNotPermitted",
                      fmt::format("The image '{}' may not be deregistered: its deregistration "
                                  "protection is '{}'.",
                                  id.str(), protection));
}

Status check_deprecation(const model::Image& image, std::optional<UnixMillis> when,
                         UnixMillis now) {
    const bool is_public = image.launch_permissions.everybody;
    if (!when) {
        return is_public ? Status(Error::api(Code::permission_denied, "OperationNotPermitted",
                                             "The deprecation of a public image cannot be "
                                             "cancelled. Make it private first."))
                         : ok();
    }
    if (*when < whole_minute(now)) {  // the present minute is not past
        return errors::invalid_parameter_value(
            fmt::format("The deprecation time {} is in the past.", whole_seconds(*when)));
    }
    if (*when > add_years(now, kMaxDeprecationYears)) {
        return errors::invalid_parameter_value(
            fmt::format("The deprecation time {} is more than {} years ahead.",
                        whole_seconds(*when), kMaxDeprecationYears));
    }
    if (is_public && *when > last_deprecation_of_public(image)) {
        return errors::invalid_parameter_value(
            fmt::format("The deprecation time of a public image is at most 2 years after its "
                        "creation, here {}.",
                        whole_seconds(last_deprecation_of_public(image))));
    }
    return ok();
}

}  // namespace

Result<std::vector<model::SnapshotId>> Images::deregister(const Caller& caller,
                                                          const ImageRef& ref) {
    std::vector<model::SnapshotId> snapshots;
    TRY(change(caller, ref, model::ImageEvent::deregister,
               [&](catalog::Transaction& tx, model::Image& image) -> Status {
                   const UnixMillis now = clock_.now();
                   if (is_protected(image, now)) {
                       return protected_error(image.id, protection_text(image, now));
                   }
                   snapshots.clear();
                   for (const model::BlockDeviceMapping& mapping : image.block_device_mappings) {
                       if (mapping.ebs && !mapping.ebs->snapshot_id.empty() &&
                           std::find(snapshots.begin(), snapshots.end(),
                                     mapping.ebs->snapshot_id) == snapshots.end()) {
                           snapshots.push_back(mapping.ebs->snapshot_id);
                       }
                   }
                   return tx.tags().erase_resource(image.id.str());  // TAG-8
               }));
    return snapshots;
}

Status Images::protect(const Caller& caller, const ImageRef& ref, bool with_cooldown) {
    using Protection = model::DeregistrationProtection;
    return change(caller, ref, model::ImageEvent::use_attribute,
                  [&](catalog::Transaction&, model::Image& image) {
                      image.deregistration_protection =
                          with_cooldown ? Protection::with_cooldown : Protection::without_cooldown;
                      image.cooldown_until.reset();
                      return ok();
                  });
}

Status Images::unprotect(const Caller& caller, const ImageRef& ref) {
    using Protection = model::DeregistrationProtection;
    return change(caller, ref, model::ImageEvent::use_attribute,
                  [&](catalog::Transaction&, model::Image& image) {
                      if (image.deregistration_protection == Protection::with_cooldown) {
                          image.cooldown_until = UnixMillis{clock_.now().value + kCooldownMillis};
                      }
                      image.deregistration_protection = Protection::disabled;
                      return ok();
                  });
}

Status Images::disable(const Caller& caller, const ImageRef& ref) {
    return change(caller, ref, model::ImageEvent::disable,
                  [](catalog::Transaction&, model::Image& image) {
                      image.launch_permissions = {};
                      return ok();
                  });
}

Status Images::enable(const Caller& caller, const ImageRef& ref) {
    return change(caller, ref, model::ImageEvent::enable,
                  [](catalog::Transaction&, model::Image&) { return ok(); });
}

Status Images::deprecate(const Caller& caller, const ImageRef& ref,
                         std::optional<UnixMillis> when) {
    if (when) {
        when = rounded_to_minute(*when);
    }
    return change(caller, ref, model::ImageEvent::modify,
                  [&](catalog::Transaction&, model::Image& image) -> Status {
                      TRY(check_deprecation(image, when, clock_.now()));
                      image.deprecation_time = when;
                      return ok();
                  });
}

}  // namespace kiln::control
