// SPDX-License-Identifier: Apache-2.0
// VOL-10: the filters of DescribeVolumes.
#include "control/volumes.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;
using Getters = std::map<std::string, FilterTable<VolumeView>::Getter, std::less<>>;

Values boolean(bool value) {
    return {value ? "true" : "false"};
}

template <class F>
Values each_attachment(const VolumeView& view, F value_of) {
    Values values;
    for (const model::VolumeAttachment& attachment : view.volume.attachments) {
        values.push_back(value_of(attachment));
    }
    return values;
}

void add_attachment_filters(Getters& getters) {
    getters["attachment.attach-time"] = [](const VolumeView& view) {
        return each_attachment(view, [](const auto& a) { return format_iso8601(a.attach_time); });
    };
    getters["attachment.delete-on-termination"] = [](const VolumeView& view) {
        return each_attachment(
            view, [](const auto& a) { return boolean(a.delete_on_termination).front(); });
    };
    getters["attachment.device"] = [](const VolumeView& view) {
        return each_attachment(view, [](const auto& a) { return a.device; });
    };
    getters["attachment.instance-id"] = [](const VolumeView& view) {
        return each_attachment(view, [](const auto& a) { return a.instance_id.str(); });
    };
    getters["attachment.status"] = [](const VolumeView& view) {
        return each_attachment(view, [](const auto& a) { return std::string(to_string(a.state)); });
    };
}

}  // namespace

const FilterTable<VolumeView>& volume_filters() {
    static const FilterTable<VolumeView> table = [] {
        Getters getters;
        add_attachment_filters(getters);
        getters["availability-zone"] = [](const VolumeView& view) {
            return Values{view.volume.availability_zone};
        };
        getters["availability-zone-id"] = [](const VolumeView& view) {
            return Values{view.zone_id};
        };
        getters["create-time"] = [](const VolumeView& view) {
            return Values{format_iso8601(view.volume.created)};
        };
        getters["encrypted"] = [](const VolumeView& view) {
            return boolean(view.volume.encrypted);
        };
        getters["fast-restored"] = [](const VolumeView& view) {
            return boolean(view.volume.fast_restored);
        };
        getters["multi-attach-enabled"] = [](const VolumeView& view) {
            return boolean(view.volume.multi_attach);
        };
        getters["operator.managed"] = [](const VolumeView&) { return boolean(false); };
        getters["operator.principal"] = [](const VolumeView&) { return Values{}; };  // FLT-10
        getters["size"] = [](const VolumeView& view) {
            return Values{std::to_string(view.volume.size_gib)};
        };
        getters["snapshot-id"] = [](const VolumeView& view) {
            return Values{view.volume.snapshot_id.str()};
        };
        getters["status"] = [](const VolumeView& view) {
            return Values{std::string(model::to_string(view.volume.state))};
        };
        getters["volume-id"] = [](const VolumeView& view) { return Values{view.volume.id.str()}; };
        getters["volume-type"] = [](const VolumeView& view) {
            return Values{std::string(model::to_string(view.volume.type))};
        };
        return FilterTable<VolumeView>(
            [](const VolumeView& view) -> const std::vector<model::Tag>& { return view.tags; },
            std::move(getters));
    }();
    return table;
}

}  // namespace kiln::control
