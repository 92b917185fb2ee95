// SPDX-License-Identifier: Apache-2.0
#include "model/image.h"

namespace kiln::model {

namespace {

constexpr Refusal kUnavailable{Code::failed_precondition, "InvalidAMIID.Unavailable",
                               "The image ID '{}' is no longer available"};
constexpr Refusal kSuperseded{Code::failed_precondition, "",
                              "image {} is not being created any more"};
constexpr Refusal kNoManifest{Code::failed_precondition, "",
                              "image {} has no parts that could be invalid now"};

using S = ImageState;
using E = ImageEvent;

// IMS-1: `transient` and `error` are never entered, and nothing but deregistration leads out of
// them.
constexpr ImageTransition kTable[] = {
    {S::pending, E::snapshots_completed, S::available},
    {S::pending, E::creation_failed, S::failed},
    {S::pending, E::found_invalid, {}, &kNoManifest},
    {S::pending, E::launch, {}, &kUnavailable},
    {S::pending, E::use_attribute, S::pending},
    {S::pending, E::modify, {}, &kUnavailable},
    {S::pending, E::disable, {}, &kUnavailable},
    {S::pending, E::enable, {}, &kUnavailable},
    {S::pending, E::deregister, S::deregistered},

    // RACE-13: available once and for all; it never becomes pending or failed again.
    {S::available, E::snapshots_completed, {}, &kSuperseded},
    {S::available, E::creation_failed, {}, &kSuperseded},
    {S::available, E::found_invalid, S::invalid},
    {S::available, E::launch, S::available},
    {S::available, E::use_attribute, S::available},
    {S::available, E::modify, S::available},
    {S::available, E::disable, S::disabled},
    {S::available, E::enable, S::available},
    {S::available, E::deregister, S::deregistered},

    {S::invalid, E::snapshots_completed, {}, &kSuperseded},
    {S::invalid, E::creation_failed, {}, &kSuperseded},
    {S::invalid, E::found_invalid, S::invalid},
    {S::invalid, E::launch, {}, &kUnavailable},
    {S::invalid, E::use_attribute, S::invalid},
    {S::invalid, E::modify, {}, &kUnavailable},
    {S::invalid, E::disable, {}, &kUnavailable},
    {S::invalid, E::enable, {}, &kUnavailable},
    {S::invalid, E::deregister, S::deregistered},

    // DR-4
    {S::deregistered, E::snapshots_completed, {}, &kSuperseded},
    {S::deregistered, E::creation_failed, {}, &kSuperseded},
    {S::deregistered, E::found_invalid, {}, &kNoManifest},
    {S::deregistered, E::launch, {}, &kUnavailable},
    {S::deregistered, E::use_attribute, {}, &kUnavailable},
    {S::deregistered, E::modify, {}, &kUnavailable},
    {S::deregistered, E::disable, {}, &kUnavailable},
    {S::deregistered, E::enable, {}, &kUnavailable},
    {S::deregistered, E::deregister, {}, &kUnavailable},

    {S::transient, E::snapshots_completed, {}, &kSuperseded},
    {S::transient, E::creation_failed, {}, &kSuperseded},
    {S::transient, E::found_invalid, {}, &kNoManifest},
    {S::transient, E::launch, {}, &kUnavailable},
    {S::transient, E::use_attribute, S::transient},
    {S::transient, E::modify, {}, &kUnavailable},
    {S::transient, E::disable, {}, &kUnavailable},
    {S::transient, E::enable, {}, &kUnavailable},
    {S::transient, E::deregister, S::deregistered},

    // IMS-5: stays listed until somebody deregisters it.
    {S::failed, E::snapshots_completed, {}, &kSuperseded},
    {S::failed, E::creation_failed, S::failed},
    {S::failed, E::found_invalid, {}, &kNoManifest},
    {S::failed, E::launch, {}, &kUnavailable},
    {S::failed, E::use_attribute, S::failed},
    {S::failed, E::modify, {}, &kUnavailable},
    {S::failed, E::disable, {}, &kUnavailable},
    {S::failed, E::enable, {}, &kUnavailable},
    {S::failed, E::deregister, S::deregistered},

    {S::error, E::snapshots_completed, {}, &kSuperseded},
    {S::error, E::creation_failed, {}, &kSuperseded},
    {S::error, E::found_invalid, {}, &kNoManifest},
    {S::error, E::launch, {}, &kUnavailable},
    {S::error, E::use_attribute, S::error},
    {S::error, E::modify, {}, &kUnavailable},
    {S::error, E::disable, {}, &kUnavailable},
    {S::error, E::enable, {}, &kUnavailable},
    {S::error, E::deregister, S::deregistered},

    // DR-8, DR-9
    {S::disabled, E::snapshots_completed, {}, &kSuperseded},
    {S::disabled, E::creation_failed, {}, &kSuperseded},
    {S::disabled, E::found_invalid, S::invalid},
    {S::disabled, E::launch, {}, &kUnavailable},
    {S::disabled, E::use_attribute, S::disabled},
    {S::disabled, E::modify, {}, &kUnavailable},
    {S::disabled, E::disable, S::disabled},
    {S::disabled, E::enable, S::available},
    {S::disabled, E::deregister, S::deregistered},
};

}  // namespace

std::span<const ImageTransition> image_transitions() {
    return kTable;
}

Result<ImageState> next(ImageState state, ImageEvent event, const ImageId& id) {
    return look_up(image_transitions(), state, event, id.str());
}

}  // namespace kiln::model
