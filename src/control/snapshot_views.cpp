// SPDX-License-Identifier: Apache-2.0
#include "control/snapshot_views.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;
using Getters = std::map<std::string, FilterTable<SnapshotView>::Getter, std::less<>>;

Values one(std::string value) {
    return {std::move(value)};
}

FilterTable<SnapshotView> make_table() {
    Getters getters;
    getters["description"] = [](const SnapshotView& view) {
        return one(view.snapshot.description);
    };
    getters["encrypted"] = [](const SnapshotView& view) {
        return one(view.snapshot.encrypted ? "true" : "false");
    };
    getters["owner-alias"] = [](const SnapshotView& view) {
        return view.snapshot.owner_alias.empty() ? Values{} : one(view.snapshot.owner_alias);
    };
    getters["owner-id"] = [](const SnapshotView& view) {
        return one(view.snapshot.owner_id.str());
    };
    getters["progress"] = [](const SnapshotView& view) {
        return one(progress_text(view.snapshot));
    };
    getters["snapshot-id"] = [](const SnapshotView& view) { return one(view.snapshot.id.str()); };
    getters["start-time"] = [](const SnapshotView& view) {
        return one(format_iso8601(view.snapshot.created));
    };
    getters["status"] = [](const SnapshotView& view) {
        return one(std::string(model::to_string(view.snapshot.state)));
    };
    getters["storage-tier"] = [](const SnapshotView&) { return one("standard"); };
    getters["transfer-type"] = [](const SnapshotView& view) {
        const auto& transfer = view.snapshot.transfer_type;
        return transfer ? one(std::string(model::to_string(*transfer))) : Values{};
    };
    getters["volume-id"] = [](const SnapshotView& view) {
        return one(view.snapshot.volume_id.str());
    };
    getters["volume-size"] = [](const SnapshotView& view) {
        return one(std::to_string(view.snapshot.volume_size_gib));
    };
    return FilterTable<SnapshotView>(
        [](const SnapshotView& view) -> const std::vector<model::Tag>& { return view.tags; },
        std::move(getters));
}

}  // namespace

Result<std::vector<SnapshotView>> load_views(catalog::Transaction& tx, const Caller& caller,
                                             std::vector<model::Snapshot> snapshots) {
    std::vector<SnapshotView> views;
    std::vector<std::string> ids;
    for (model::Snapshot& snapshot : snapshots) {
        ids.push_back(snapshot.id.str());
        views.push_back({std::move(snapshot), {}});
    }
    TRY_ASSIGN(const auto tags, tx.tags().of(caller.account, ids));
    for (SnapshotView& view : views) {
        if (const auto found = tags.find(view.snapshot.id.str()); found != tags.end()) {
            view.tags = found->second;
        }
    }
    return views;
}

std::string progress_text(const model::Snapshot& snapshot) {
    const bool unknown =
        snapshot.progress_percent == 0 && snapshot.state == model::SnapshotState::pending;
    return unknown ? "" : std::to_string(snapshot.progress_percent) + "%";
}

const FilterTable<SnapshotView>& snapshot_filters() {
    static const FilterTable<SnapshotView> table = make_table();
    return table;
}

}  // namespace kiln::control
