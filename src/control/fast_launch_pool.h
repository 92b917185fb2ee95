// SPDX-License-Identifier: Apache-2.0
// The snapshots that are prepared ahead for launches of an image (FLN-4, FLN-6), as the
// transactions of others see them: a launch takes one, and what ends an account's use of an image
// ends its fast launch. FastLaunches does the rest.
// Thread model: functions within a transaction.
#pragma once

#include <optional>
#include <string>

#include "control/caller.h"
#include "control/parts.h"
#include "control/volume_plan.h"
#include "model/image.h"
#include "model/snapshot.h"

namespace kiln::control {

// Whose fast launch of which image.
struct FastLaunchKey {
    model::ImageId image;
    model::AccountId account;
    std::string text() const { return image.str() + "/" + account.str(); }
    static FastLaunchKey parse(const std::string& text);
};

// The account's, or null.
model::FastLaunch* find_fast_launch(model::Image& image, const model::AccountId& account);
void set_state(model::FastLaunch& launch, model::FastLaunchState state, std::string reason,
               UnixMillis now);
// As whom the service itself acts for an account.
Result<Caller> account_caller(catalog::Transaction& tx, const model::AccountId& account,
                              const std::string& region);

// FLN-4: one of the caller's snapshots for a launch of the image, else one of the image's owner, if
// the root is that of the image, large enough, and for a zone where the snapshot may be used. It is
// taken out of `image`, which the caller writes. The root's plan then stands on its content.
Result<std::optional<model::Snapshot>> take_prepared(catalog::Transaction& tx, const Parts& parts,
                                                     const Caller& caller, model::Image& image,
                                                     const std::string& zone, VolumePlan& root);
// What take_prepared() gave, once the volume is there.
Status drop_prepared(catalog::Transaction& tx, const Parts& parts, const model::Snapshot& snapshot);

// FLN-6: of those accounts that may not launch the image any more, as it is now; the caller writes
// it.
Status end_lost_fast_launches(catalog::Transaction& tx, model::Image& image, UnixMillis now);

}  // namespace kiln::control
