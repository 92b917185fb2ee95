// SPDX-License-Identifier: Apache-2.0
#include "control/instance_settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/instance_types.h"
#include "control/instances.h"
#include "control/uefi_variables.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{5, 1000};  // PAG-2

catalog::Cursor cursor_of(const CreditView& view) {
    return {view.instance.created, view.instance.id.str()};
}

bool has_ended(const model::Instance& instance) {
    return instance.state == model::InstanceState::shutting_down ||
           instance.state == model::InstanceState::terminated;
}

Error wrong_state(const model::InstanceId& id, std::string_view what) {
    return Error::api(
        Code::failed_precondition, "IncorrectInstanceState",
        fmt::format("The instance '{}' is not in a state from which {}.", id.str(), what));
}

bool is_burstable(const model::Instance& instance) {
    const InstanceType* type = find_instance_type(instance.instance_type);
    return type != nullptr && type->family->burstable;
}

}  // namespace

const FilterTable<CreditView>& credit_filters() {
    using Values = std::vector<std::string>;
    static const FilterTable<CreditView> table(
        [](const CreditView&) -> const std::vector<model::Tag>& {
            static const std::vector<model::Tag> none;
            return none;
        },
        {{"instance-id", [](const CreditView& view) { return Values{view.instance.id.str()}; }}});
    return table;
}

model::CpuCredits credits_of(const model::Instance& instance) {
    const bool unlimited = is_burstable(instance) && !instance.instance_type.starts_with("t2.");
    return instance.cpu_credits.value_or(unlimited ? model::CpuCredits::unlimited
                                                   : model::CpuCredits::standard);
}

Status InstanceSettings::reset(const Caller& caller, const model::InstanceId& id,
                               ResetAttribute attribute, bool dry_run) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto instances, find_instances(tx, caller, {id}));
        model::Instance& instance = instances.front();
        if (has_ended(instance)) {
            return wrong_state(id, "its attributes can be reset");
        }
        if (attribute == ResetAttribute::source_dest_check) {
            instance.source_dest_check = true;
        } else {
            TRY(model::next(instance.state, model::InstanceEvent::modify_stopped, id));  // STP-4
            TRY_ASSIGN(const auto image, tx.images().find(instance.image_id));
            if (!image) {
                return Error::api(Code::failed_precondition, "InvalidAMIID.Unavailable",
                                  fmt::format("The image ID '{}' is no longer available",
                                              instance.image_id.str()));
            }
            if (attribute == ResetAttribute::kernel) {
                instance.kernel_id = image->kernel_id;
            } else {
                instance.ramdisk_id = image->ramdisk_id;
            }
        }
        if (dry_run) {
            return errors::dry_run();
        }
        return tx.instances().update(instance);
    });
}

Result<std::vector<Monitored>> InstanceSettings::monitor(const Caller& caller,
                                                         const std::vector<model::InstanceId>& ids,
                                                         bool enable, bool dry_run) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<std::vector<Monitored>> {
        TRY_ASSIGN(auto instances, find_instances(tx, caller, ids));
        std::vector<Monitored> states;
        for (model::Instance& instance : instances) {
            if (has_ended(instance)) {
                return wrong_state(instance.id, "its monitoring can be changed");
            }
            const bool changes = instance.detailed_monitoring != enable;
            instance.detailed_monitoring = enable;
            states.push_back({instance.id, enable ? (changes ? "pending" : "enabled")
                                                  : (changes ? "disabling" : "disabled")});
        }
        if (dry_run) {
            return errors::dry_run();
        }
        for (const model::Instance& instance : instances) {
            TRY(tx.instances().update(instance));
        }
        return states;
    });
}

Result<model::Instance> InstanceSettings::look(const Caller& caller, const model::InstanceId& id,
                                               bool dry_run) {
    TRY_ASSIGN(auto instances, parts_.store.read([&](catalog::Transaction& tx) {
        return find_instances(tx, caller, {id});
    }));
    if (dry_run) {
        return errors::dry_run();
    }
    return std::move(instances.front());
}

Result<std::string> InstanceSettings::uefi_data(const Caller& caller, const model::InstanceId& id,
                                                bool dry_run) {
    TRY_ASSIGN(const auto instances, parts_.store.read([&](catalog::Transaction& tx) {
        return find_instances(tx, caller, {id});
    }));
    const model::Instance& instance = instances.front();
    if (instance.current_boot_mode != model::BootMode::uefi) {
        return errors::unsupported(fmt::format(
            "The instance '{}' does not boot with UEFI and has no UEFI variables.", id.str()));
    }
    if (has_ended(instance)) {
        return wrong_state(id, "its UEFI variables can be read");
    }
    if (dry_run) {
        return errors::dry_run();
    }
    TRY_ASSIGN(auto data, current_uefi_data(instance, worker_.instance_directory(id)));
    if (!data) {
        return wrong_state(id, "its UEFI variables can be read: it has not been started yet");
    }
    return std::move(*data);
}

Result<Page<CreditView>> InstanceSettings::describe_credits(const Caller& caller,
                                                            const DescribeCreditsInput& input) {
    TRY(credit_filters().check(input.filters));
    if (!input.ids.empty() && input.page.max_results) {  // PAG-4
        return errors::invalid_parameter_combination(
            "The parameter instancesSet cannot be used with the parameter maxResults");
    }
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    TRY_ASSIGN(
        const auto instances,
        parts_.store.read([&](catalog::Transaction& tx) -> Result<std::vector<model::Instance>> {
            if (!input.ids.empty()) {
                return find_instances(tx, caller, input.ids);
            }
            catalog::InstanceQuery query;
            query.region = caller.region;
            query.owners = {caller.account};
            query.page.after = start.after;
            return tx.instances().list(query);
        }));
    std::vector<CreditView> views;
    for (const model::Instance& instance : instances) {
        CreditView view{instance, credits_of(instance)};
        // CRD-1: unasked, those with unlimited credits.
        const bool shown = !input.ids.empty() || !input.filters.empty() ||
                           view.credits == model::CpuCredits::unlimited;
        if (shown && !has_ended(instance) && credit_filters().matches(input.filters, view)) {
            views.push_back(std::move(view));
        }
    }
    return cut_page(caller, input.page, start, std::move(views), cursor_of);
}

}  // namespace kiln::control
