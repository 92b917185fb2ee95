// SPDX-License-Identifier: Apache-2.0
// EnableFastSnapshotRestores, DisableFastSnapshotRestores, DescribeFastSnapshotRestores (FS-1 ..
// FS-3).
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/describe_fast_snapshot_restores.h"
#include "api/generated/ec2/disable_fast_snapshot_restores.h"
#include "api/generated/ec2/enable_fast_snapshot_restores.h"
#include "control/api_errors.h"
#include "control/fast_restores.h"

namespace kiln::api {
namespace {

using namespace ec2;

template <class Request>
Result<control::FastRestoreInput> to_input(const Request& request) {
    if (!request.availability_zones.empty() && !request.availability_zone_ids.empty()) {  // REG-2
        return control::errors::invalid_parameter_combination(
            "AvailabilityZone and AvailabilityZoneId may not be given together.");
    }
    control::FastRestoreInput input;
    for (const std::string& id : request.source_snapshot_ids) {
        TRY_ASSIGN(input.snapshots.emplace_back(), model::parse_snapshot_id(id));
    }
    input.zones = request.availability_zones.empty() ? request.availability_zone_ids.items()
                                                     : request.availability_zones.items();
    input.dry_run = request.dry_run.value_or(false);
    return input;
}

void set_time(Scalar<UnixMillis>& to, const std::optional<UnixMillis>& from) {
    if (from) {
        to = *from;
    }
}

// Entering `enabling` and `disabling` is what was asked for; the other states follow from it.
std::string reason_of(model::FastRestoreState state) {
    const bool asked_for =
        state == model::FastRestoreState::enabling || state == model::FastRestoreState::disabling;
    return asked_for ? "Client.UserInitiated" : "Client.UserInitiated - Lifecycle state transition";
}

template <class Item>
void fill(const control::FastRestoreView& view, Item& item) {
    const model::FastRestoreProgress& progress = view.progress;
    item.snapshot_id = view.snapshot.str();
    item.availability_zone = view.restore.zone;
    item.availability_zone_id = view.zone_id;
    item.state = std::string(model::to_string(progress.state));
    item.state_transition_reason = reason_of(progress.state);
    item.owner_id = view.restore.account.str();
    item.enabling_time = progress.enabling;
    set_time(item.optimizing_time, progress.optimizing);
    set_time(item.enabled_time, progress.enabled);
    set_time(item.disabling_time, progress.disabling);
    set_time(item.disabled_time, progress.disabled);
}

template <class Response>
Response from_outcome(const control::FastRestoreOutcome& outcome) {
    Response response;
    response.successful.give();
    for (const control::FastRestoreView& view : outcome.done) {
        fill(view, response.successful.emplace_back());
    }
    response.unsuccessful.give();
    for (const auto& refused : outcome.refused) {
        auto& item = response.unsuccessful.emplace_back();
        item.snapshot_id = refused.snapshot.str();
        for (const control::FastRestoreRefusal& refusal : refused.zones) {
            auto& zone = item.fast_snapshot_restore_state_errors.emplace_back();
            zone.availability_zone = refusal.zone;
            zone.availability_zone_id = refusal.zone_id;
            auto& error = zone.error.emplace();
            error.code = refusal.code;
            error.message = refusal.message;
        }
    }
    return response;
}

Result<DescribeFastSnapshotRestoresResult> describe(
    const Services& services, const Context& context,
    const DescribeFastSnapshotRestoresRequest& request) {
    control::DescribeFastRestoresInput input;
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.fast_restores.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeFastSnapshotRestoresResult result;
    result.fast_snapshot_restores.give();
    for (const control::FastRestoreView& view : page.items) {
        fill(view, result.fast_snapshot_restores.emplace_back());
    }
    set_token(result.next_token, page.next_token);
    return result;
}

}  // namespace

void add_fast_restore_handlers(Registry& registry, Services services) {
    registry.add<ops::EnableFastSnapshotRestores>(
        [services](Context& context, const EnableFastSnapshotRestoresRequest& request)
            -> Result<EnableFastSnapshotRestoresResult> {
            TRY_ASSIGN(const auto input, to_input(request));
            TRY_ASSIGN(const auto outcome, services.fast_restores.enable(context.caller, input));
            return from_outcome<EnableFastSnapshotRestoresResult>(outcome);
        });
    registry.add<ops::DisableFastSnapshotRestores>(
        [services](Context& context, const DisableFastSnapshotRestoresRequest& request)
            -> Result<DisableFastSnapshotRestoresResult> {
            TRY_ASSIGN(const auto input, to_input(request));
            TRY_ASSIGN(const auto outcome, services.fast_restores.disable(context.caller, input));
            return from_outcome<DisableFastSnapshotRestoresResult>(outcome);
        });
    registry.add<ops::DescribeFastSnapshotRestores>(
        [services](Context& context, const DescribeFastSnapshotRestoresRequest& request) {
            return describe(services, context, request);
        });
}

}  // namespace kiln::api
