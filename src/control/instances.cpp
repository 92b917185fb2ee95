// SPDX-License-Identifier: Apache-2.0
#include "control/instances.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/instance_worker.h"
#include "control/job_runner.h"
#include "control/launch.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{5, 1000};         // PAG-2
constexpr std::size_t kMostTerminated = 1000;  // TRM-1

catalog::Cursor cursor_of(const model::Instance& instance) {
    return {instance.created, instance.id.str()};
}

// TRM-1: instances in a zone with a protected one stay, those in other zones go, and the call
// reports the first protected one.
std::optional<Error> protected_error(const std::vector<model::Instance>& instances,
                                     std::set<std::string>& zones) {
    std::optional<Error> error;
    for (const model::Instance& instance : instances) {
        if (instance.disable_api_termination &&
            instance.state != model::InstanceState::terminated) {
            zones.insert(instance.availability_zone);
            if (!error) {
                error = Error::api(Code::permission_denied, "OperationNotPermitted",
                                   fmt::format("The instance '{}' may not be terminated. Modify "
                                               "its 'disableApiTermination' instance "
                                               "attribute and try again.",
                                               instance.id.str()));
            }
        }
    }
    return error;
}

}  // namespace

std::string user_initiated(UnixMillis now) {
    std::string time = format_iso8601(now);  // 2025-06-01T12:34:56.000Z
    return fmt::format("User initiated ({} {} GMT)", time.substr(0, 10), time.substr(11, 8));
}

Result<std::vector<model::Instance>> find_instances(catalog::Transaction& tx, const Caller& caller,
                                                    const std::vector<model::InstanceId>& ids) {
    std::vector<model::Instance> found;
    std::set<model::InstanceId> seen;
    std::vector<std::string> missing;
    for (const model::InstanceId& id : ids) {
        if (!seen.insert(id).second) {
            continue;  // IDL-3
        }
        TRY_ASSIGN(auto instance, tx.instances().find(id));
        if (!instance || instance->owner_id != caller.account ||
            instance->region != caller.region) {
            missing.push_back(id.str());  // ERR-3
        } else {
            found.push_back(std::move(*instance));
        }
    }
    if (!missing.empty()) {
        return errors::instances_not_found(missing);
    }
    return found;
}

Result<model::Instance> find_running_instance(catalog::Transaction& tx, const Caller& caller,
                                              const model::InstanceId& id) {
    TRY_ASSIGN(auto found, find_instances(tx, caller, {id}));
    model::Instance& instance = found.front();
    if (instance.state != model::InstanceState::running) {
        return Error::api(Code::failed_precondition, "IncorrectInstanceState",
                          fmt::format("The instance '{}' is {}, not running.", id.str(),
                                      model::to_string(instance.state)));
    }
    return std::move(instance);
}

Result<ReservationView> Instances::run(const Caller& caller, const RunInstancesInput& input) {
    Launch launch(parts_, caller, input);
    TRY(launch.check());
    TRY_ASSIGN(auto views,
               parts_.store.run([&](catalog::Transaction& tx) -> Result<std::vector<InstanceView>> {
                   TRY_ASSIGN(auto made, launch.run(tx));
                   return load_views(tx, parts_.topology, caller, std::move(made));
               }));
    work_added_();
    return group_by_reservation(std::move(views)).front();
}

Result<std::optional<ReservationView>> Instances::find_launched(const Caller& caller,
                                                                const RunInstancesInput& input) {
    using Found = std::optional<ReservationView>;
    if (input.client_token.empty()) {
        return Found();
    }
    Launch launch(parts_, caller, input);
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Found> {
        TRY_ASSIGN(auto known, launch.replay(tx));
        if (!known) {
            return Found();
        }
        TRY_ASSIGN(auto views, load_views(tx, parts_.topology, caller, std::move(*known)));
        return Found(group_by_reservation(std::move(views)).front());
    });
}

Result<ReservationPage> Instances::describe(const Caller& caller,
                                            const DescribeInstancesInput& input) {
    TRY(instance_filters().check(input.filters));
    if (!input.ids.empty() && input.page.max_results) {  // PAG-4
        return errors::invalid_parameter_combination(
            "The parameter instancesSet cannot be used with the parameter maxResults");
    }
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<ReservationPage> {
        const auto list = [&](const PageStart& piece) {
            catalog::InstanceQuery query;
            query.region = caller.region;
            query.owners = {caller.account};
            query.page.after = piece.after;
            query.page.limit = piece.limit.value_or(0);
            return tx.instances().list(query);
        };
        const auto shown =
            [&](std::vector<model::Instance> instances) -> Result<std::vector<InstanceView>> {
            TRY_ASSIGN(auto views, load_views(tx, parts_.topology, caller, std::move(instances)));
            std::erase_if(views, [&](const InstanceView& view) {
                return !instance_filters().matches(input.filters, view);
            });
            return views;
        };
        std::vector<InstanceView> views;
        if (input.ids.empty()) {
            TRY_ASSIGN(views, read_page<InstanceView>(start, !input.filters.empty(), list,
                                                      cursor_of, shown));
        } else {
            TRY_ASSIGN(auto instances, find_instances(tx, caller, input.ids));
            TRY_ASSIGN(views, shown(std::move(instances)));
        }
        auto page = cut_page(caller, input.page, start, std::move(views),
                             [](const InstanceView& view) { return cursor_of(view.instance); });
        return ReservationPage{group_by_reservation(std::move(page.items)), page.next_token};
    });
}

Result<model::MetadataOptions> Instances::modify_metadata_options(
    const Caller& caller, const ModifyMetadataOptionsInput& input) {
    auto options = control::modify_metadata_options(parts_.store, caller, input);
    if (options) {
        networks_.instance_changed(input.id);  // IMDS-3: the hop limit
    }
    return options;
}

Result<std::vector<StateChange>> Instances::terminate(const Caller& caller,
                                                      const TerminateInput& input) {
    if (input.ids.empty()) {
        return errors::missing_parameter("InstanceId");
    }
    if (input.ids.size() > kMostTerminated) {
        return errors::invalid_parameter_value(
            fmt::format("At most {} instances may be terminated by one request.", kMostTerminated));
    }
    const EndMode mode = input.skip_os_shutdown ? EndMode::at_once
                         : input.force          ? EndMode::forced
                                                : EndMode::orderly;
    std::optional<Error> refusal;
    auto changes =
        parts_.store.run([&](catalog::Transaction& tx) -> Result<std::vector<StateChange>> {
            TRY_ASSIGN(auto instances, find_instances(tx, caller, input.ids));
            std::set<std::string> protected_zones;
            refusal = protected_error(instances, protected_zones);
            if (input.dry_run) {
                return refusal ? *refusal : errors::dry_run();  // WIRE-8
            }
            std::vector<StateChange> made;
            for (model::Instance& instance : instances) {
                if (protected_zones.contains(instance.availability_zone)) {
                    continue;
                }
                const model::InstanceState previous = instance.state;
                TRY_ASSIGN(instance.state,
                           model::next(previous, model::InstanceEvent::terminate, instance.id));
                const bool hurry = mode != EndMode::orderly &&
                                   instance.state == model::InstanceState::shutting_down;
                if (instance.state != previous || hurry) {
                    TRY(begin_end(tx, parts_, instance, EndReason::user, mode));
                }
                made.push_back({instance.id, previous, instance.state});
            }
            return made;
        });
    work_added_();
    if (changes && refusal) {
        return std::move(*refusal);
    }
    return changes;
}

}  // namespace kiln::control
