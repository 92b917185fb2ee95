// SPDX-License-Identifier: Apache-2.0
#include "control/instance_status.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/instances.h"
#include "control/volume_health.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{5, 1000};  // PAG-2
// A machine that does not answer within this is impaired; many may be asked in one request.
constexpr std::chrono::milliseconds kQueryTime{500};
constexpr std::chrono::seconds kScreenTime{10};

catalog::Cursor cursor_of(const InstanceStatusView& view) {
    return {view.instance.created, view.instance.id.str()};
}

using Getters = std::map<std::string, FilterTable<InstanceStatusView>::Getter, std::less<>>;

std::vector<std::string> one(std::string_view text) {
    return {std::string(text)};
}

}  // namespace

const FilterTable<InstanceStatusView>& instance_status_filters() {
    static const FilterTable<InstanceStatusView> table = [] {
        Getters getters;
        getters["availability-zone"] = [](const InstanceStatusView& view) {
            return one(view.instance.availability_zone);
        };
        getters["availability-zone-id"] = [](const InstanceStatusView& view) {
            return one(view.zone_id);
        };
        getters["instance-state-name"] = [](const InstanceStatusView& view) {
            return one(model::to_string(view.instance.state));
        };
        getters["instance-state-code"] = [](const InstanceStatusView& view) {
            return one(std::to_string(model::state_code(view.instance.state)));
        };
        getters["instance-status.status"] = [](const InstanceStatusView& view) {
            return one(summary_of(view.machine));
        };
        getters["instance-status.reachability"] = [](const InstanceStatusView& view) {
            return one(model::to_string(view.machine));
        };
        getters["attached-ebs-status.status"] = [](const InstanceStatusView& view) {
            return one(summary_of(view.disks));
        };
        getters["operator.managed"] = [](const InstanceStatusView&) { return one("false"); };
        // FLT-10: nothing is scheduled for an instance, and no other service manages one.
        for (const char* name :
             {"event.code", "event.description", "event.instance-event-id", "event.not-after",
              "event.not-before", "event.not-before-deadline", "operator.principal"}) {
            getters[name] = [](const InstanceStatusView&) { return std::vector<std::string>(); };
        }
        getters["system-status.status"] = [](const InstanceStatusView& view) {
            return one(summary_of(view.system));
        };
        getters["system-status.reachability"] = [](const InstanceStatusView& view) {
            return one(model::to_string(view.system));
        };
        return FilterTable<InstanceStatusView>(
            [](const InstanceStatusView& view) -> const std::vector<model::Tag>& {
                return view.tags;
            },
            std::move(getters));
    }();
    return table;
}

std::string_view summary_of(Reachability reachability) {
    switch (reachability) {
        case Reachability::passed:
            return "ok";
        case Reachability::failed:
            return "impaired";
        default:
            return model::to_string(reachability);
    }
}

InstanceStatusView InstanceStatuses::ask(model::Instance instance, const CutOff& cut_off) {
    InstanceStatusView view;
    view.zone_id = parts_.topology.zone_id(instance.region, instance.availability_zone);
    view.instance = std::move(instance);
    if (view.instance.state == model::InstanceState::pending) {
        view.system = view.machine = view.disks = Reachability::initializing;
        return view;
    }
    if (view.instance.state != model::InstanceState::running) {
        return view;
    }
    view.disks = !cut_off                              ? Reachability::insufficient_data
                 : cut_off->contains(view.instance.id) ? Reachability::failed
                                                       : Reachability::passed;
    const auto info =
        parts_.hypervisor.query(machine_id(view.instance.id), Deadline::after(kQueryTime));
    if (!info) {
        view.system = Reachability::failed;
        view.machine = Reachability::insufficient_data;
        return view;
    }
    view.system = Reachability::passed;
    // SHD-1: a guest that crashed leaves its machine there, paused; so does a disk that is away.
    view.machine =
        info->state == compute::MachineState::running ? Reachability::passed : Reachability::failed;
    return view;
}

Result<Page<InstanceStatusView>> InstanceStatuses::describe(const Caller& caller,
                                                            const DescribeStatusInput& input) {
    TRY(instance_status_filters().check(input.filters));
    if (!input.ids.empty() && input.page.max_results) {  // PAG-4
        return errors::invalid_parameter_combination(
            "The parameter instancesSet cannot be used with the parameter maxResults");
    }
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    std::map<std::string, std::vector<model::Tag>> tags;
    TRY_ASSIGN(
        auto instances,
        parts_.store.read([&](catalog::Transaction& tx) -> Result<std::vector<model::Instance>> {
            std::vector<model::Instance> found;
            if (!input.ids.empty()) {
                TRY_ASSIGN(found, find_instances(tx, caller, input.ids));
            } else {
                catalog::InstanceQuery query;
                query.region = caller.region;
                query.owners = {caller.account};
                query.page.after = start.after;
                if (!input.all) {
                    query.states = {model::InstanceState::running};
                }
                TRY_ASSIGN(found, tx.instances().list(query));
            }
            std::vector<std::string> ids;
            for (const model::Instance& instance : found) {
                ids.push_back(instance.id.str());
            }
            TRY_ASSIGN(const auto all, tx.tags().of(caller.account, ids));
            tags.insert(all.begin(), all.end());
            return found;
        }));
    auto away = instances_with_stopped_volume(parts_, Deadline::after(kQueryTime));
    const CutOff cut_off = away ? CutOff(std::move(*away)) : std::nullopt;
    std::vector<InstanceStatusView> views;
    for (model::Instance& instance : instances) {
        if (!input.all && instance.state != model::InstanceState::running) {
            continue;
        }
        InstanceStatusView view = ask(std::move(instance), cut_off);
        view.tags = tags[view.instance.id.str()];
        if (instance_status_filters().matches(input.filters, view)) {
            views.push_back(std::move(view));
        }
        if (start.limit && views.size() > *start.limit) {
            break;  // enough to know that there is a next page; each look costs a question
        }
    }
    return cut_page(caller, input.page, start, std::move(views), cursor_of);
}

Result<compute::ConsoleOutput> InstanceStatuses::console(const Caller& caller,
                                                         const model::InstanceId& id) {
    TRY(parts_.store.read(
        [&](catalog::Transaction& tx) { return find_instances(tx, caller, {id}); }));
    return compute::read_console(worker_.serial_log(id));
}

Result<compute::ConsolePiece> InstanceStatuses::console_from(const Caller& caller,
                                                             const model::InstanceId& id,
                                                             std::uint64_t from) {
    TRY(parts_.store.read(
        [&](catalog::Transaction& tx) { return find_instances(tx, caller, {id}); }));
    return compute::read_console_from(worker_.serial_log(id), from, compute::kConsoleOutputBytes);
}

Result<std::string> InstanceStatuses::screenshot(const Caller& caller, const model::InstanceId& id,
                                                 bool wake, bool dry_run) {
    TRY(parts_.store.read(
        [&](catalog::Transaction& tx) { return find_running_instance(tx, caller, id); }));
    if (dry_run) {
        return errors::dry_run();
    }
    const auto picture =
        parts_.hypervisor.screenshot(machine_id(id), wake, Deadline::after(kScreenTime));
    if (!picture && picture.error().code() == Code::failed_precondition) {
        return Error::api(Code::unsupported, "UnsupportedOperation",
                          fmt::format("The machine of '{}' has no display: it was started by an "
                                      "older version. Stop and start the instance.",
                                      id.str()));
    }
    if (!picture) {
        return Error::api(
            Code::unavailable, "Unavailable",
            fmt::format("The machine of '{}' does not show its screen at the moment: {}", id.str(),
                        picture.error().message()));
    }
    return compute::to_jpeg(*picture);
}

}  // namespace kiln::control
