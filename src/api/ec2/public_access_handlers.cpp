// SPDX-License-Identifier: Apache-2.0
// Whether an account's images and snapshots may be public in a region (LP-12, SS-4).
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/disable_image_block_public_access.h"
#include "api/generated/ec2/disable_snapshot_block_public_access.h"
#include "api/generated/ec2/enable_image_block_public_access.h"
#include "api/generated/ec2/enable_snapshot_block_public_access.h"
#include "api/generated/ec2/get_image_block_public_access_state.h"
#include "api/generated/ec2/get_snapshot_block_public_access_state.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

constexpr const char* kManagedBy = "account";

template <class State>
std::string text(State state) {
    return std::string(model::to_string(state));
}

void add_images(Registry& registry, const Services& services) {
    using State = model::ImageBlockPublicAccess;
    registry.add<ops::EnableImageBlockPublicAccess>(
        [services](Context& context, const EnableImageBlockPublicAccessRequest& request)
            -> Result<EnableImageBlockPublicAccessResult> {
            if (!given(request.image_block_public_access_state)) {
                return control::errors::missing_parameter("ImageBlockPublicAccessState");
            }
            if (request.image_block_public_access_state != text(State::block_new_sharing)) {
                return bad_enum(*request.image_block_public_access_state,
                                "ImageBlockPublicAccessState");
            }
            TRY(services.region_choices.set(context.caller, State::block_new_sharing,
                                            request.dry_run.value_or(false)));
            EnableImageBlockPublicAccessResult result;
            result.image_block_public_access_state = text(State::block_new_sharing);
            return result;
        });
    registry.add<ops::DisableImageBlockPublicAccess>(
        [services](Context& context, const DisableImageBlockPublicAccessRequest& request)
            -> Result<DisableImageBlockPublicAccessResult> {
            TRY(services.region_choices.set(context.caller, State::unblocked,
                                            request.dry_run.value_or(false)));
            DisableImageBlockPublicAccessResult result;
            result.image_block_public_access_state = text(State::unblocked);
            return result;
        });
    registry.add<ops::GetImageBlockPublicAccessState>(
        [services](Context& context, const GetImageBlockPublicAccessStateRequest& request)
            -> Result<GetImageBlockPublicAccessStateResult> {
            TRY_ASSIGN(const auto settings, services.region_choices.get(
                                                context.caller, request.dry_run.value_or(false)));
            GetImageBlockPublicAccessStateResult result;
            result.image_block_public_access_state = text(settings.image_access);
            result.managed_by = kManagedBy;
            return result;
        });
}

void add_snapshots(Registry& registry, const Services& services) {
    using State = model::SnapshotBlockPublicAccess;
    registry.add<ops::EnableSnapshotBlockPublicAccess>(
        [services](Context& context, const EnableSnapshotBlockPublicAccessRequest& request)
            -> Result<EnableSnapshotBlockPublicAccessResult> {
            if (!given(request.state)) {
                return control::errors::missing_parameter("State");
            }
            const auto state = model::parse<State>(*request.state);
            if (!state || *state == State::unblocked) {
                return control::errors::invalid_parameter_value(
                    "State is block-all-sharing or block-new-sharing. "
                    "DisableSnapshotBlockPublicAccess ends both.");
            }
            TRY(services.region_choices.set(context.caller, *state,
                                            request.dry_run.value_or(false)));
            EnableSnapshotBlockPublicAccessResult result;
            result.state = text(*state);
            return result;
        });
    registry.add<ops::DisableSnapshotBlockPublicAccess>(
        [services](Context& context, const DisableSnapshotBlockPublicAccessRequest& request)
            -> Result<DisableSnapshotBlockPublicAccessResult> {
            TRY(services.region_choices.set(context.caller, State::unblocked,
                                            request.dry_run.value_or(false)));
            DisableSnapshotBlockPublicAccessResult result;
            result.state = text(State::unblocked);
            return result;
        });
    registry.add<ops::GetSnapshotBlockPublicAccessState>(
        [services](Context& context, const GetSnapshotBlockPublicAccessStateRequest& request)
            -> Result<GetSnapshotBlockPublicAccessStateResult> {
            TRY_ASSIGN(const auto settings, services.region_choices.get(
                                                context.caller, request.dry_run.value_or(false)));
            GetSnapshotBlockPublicAccessStateResult result;
            result.state = text(settings.snapshot_access);
            result.managed_by = kManagedBy;
            return result;
        });
}

}  // namespace

void add_public_access_handlers(Registry& registry, Services services) {
    add_images(registry, services);
    add_snapshots(registry, services);
}

}  // namespace kiln::api
