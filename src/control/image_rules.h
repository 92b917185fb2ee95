// SPDX-License-Identifier: Apache-2.0
// What follows from an image alone: who may use it, whether it is deprecated or protected, how it
// is shown. Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "control/caller.h"
#include "model/account.h"
#include "model/image.h"
#include "util/result.h"

namespace kiln::control {

// IMGN: 3 to 128 letters, digits and ()[] ./-'@_ characters.
bool is_valid_image_name(std::string_view name);
inline constexpr std::size_t kMaxImageDescription = 255;  // characters
Status check_image_description(std::string_view description);

// "ACCOUNT-OR-ALIAS/NAME": where an image registered or made of snapshots says it lies.
std::string image_location(const model::Account& owner, std::string_view name);

// LP-2: owned by the caller's account, public, or shared with the account, its organization or a
// unit that it is in.
bool may_use(const model::Image& image, const Caller& caller);

// DR-10.
bool is_deprecated(const model::Image& image, UnixMillis now);
// TIME-2: to the nearest minute.
UnixMillis rounded_to_minute(UnixMillis time);
UnixMillis whole_minute(UnixMillis time);  // down
UnixMillis add_years(UnixMillis time, int years);
// LP-13, DR-10: two years after a public image was made.
UnixMillis last_deprecation_of_public(const model::Image& image);

// DR-7: refuses deregistration, by setting or because the cooldown is not over.
bool is_protected(const model::Image& image, UnixMillis now);
// "disabled", "enabled-with-cooldown", "disabled after 2025-06-01T12:34:56.000Z", ...
std::string protection_text(const model::Image& image, UnixMillis now);

// ITS-2: how many patterns there are and what they are of.
Status check_instance_types(const model::InstanceTypeSpecification& specification);
// ITS-3: whether the image's owner lets it run on the type of this name.
Status check_runs_on(const model::Image& image, std::string_view instance_type);

// TIME-1, DI-12: whole seconds, so that the text has one width and clients may compare it.
std::string whole_seconds(UnixMillis time);

}  // namespace kiln::control
