// SPDX-License-Identifier: Apache-2.0
// VOL-17: the filters of DescribeVolumeStatus.
#include "control/volume_health.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;
using Getters = std::map<std::string, FilterTable<VolumeStatusView>::Getter, std::less<>>;

template <class F>
FilterTable<VolumeStatusView>::Getter of_event(F value_of) {
    return [value_of](const VolumeStatusView& view) {
        return view.volume.event ? Values{value_of(*view.volume.event)} : Values{};
    };
}

}  // namespace

const FilterTable<VolumeStatusView>& volume_status_filters() {
    using model::VolumeEventNote;
    static const FilterTable<VolumeStatusView> table = [] {
        Getters getters;
        getters["action.code"] =
            of_event([](const VolumeEventNote&) { return std::string(kVolumeActionCode); });
        getters["action.description"] =
            of_event([](const VolumeEventNote&) { return std::string(kVolumeActionText); });
        getters["action.event-id"] =
            of_event([](const VolumeEventNote& event) { return event.id.str(); });
        getters["availability-zone"] = [](const VolumeStatusView& view) {
            return Values{view.volume.availability_zone};
        };
        getters["availability-zone-id"] = [](const VolumeStatusView& view) {
            return Values{view.zone_id};
        };
        getters["event.description"] =
            of_event([](const VolumeEventNote& event) { return describe_event(event); });
        getters["event.event-id"] = getters["action.event-id"];
        getters["event.event-type"] =
            of_event([](const VolumeEventNote&) { return std::string(kVolumeEventType); });
        getters["event.not-after"] = [](const VolumeStatusView&) { return Values{}; };
        getters["event.not-before"] =
            of_event([](const VolumeEventNote& event) { return format_iso8601(event.since); });
        getters["volume-status.details-name"] = [](const VolumeStatusView& view) {
            Values names;
            for (const auto& [name, state] : status_details(view)) {
                names.push_back(name);
            }
            return names;
        };
        getters["volume-status.details-status"] = [](const VolumeStatusView& view) {
            Values states;
            for (const auto& [name, state] : status_details(view)) {
                states.push_back(state);
            }
            return states;
        };
        getters["volume-status.status"] = [](const VolumeStatusView& view) {
            return Values{std::string(model::to_string(view.status))};
        };
        return FilterTable<VolumeStatusView>(
            [](const VolumeStatusView& view) -> const std::vector<model::Tag>& {
                return view.tags;
            },
            std::move(getters));
    }();
    return table;
}

}  // namespace kiln::control
