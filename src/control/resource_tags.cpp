// SPDX-License-Identifier: Apache-2.0
#include "control/resource_tags.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/metadata_options.h"
#include "control/taggable.h"
#include "control/tagging.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{5, 1000};  // PAG-2
constexpr std::size_t kMinChunk = 200;

// What the filters look at: a tag, and itself as the list of tags that `tag:<key>` asks for.
struct TagView {
    catalog::TagRecord record;
    std::vector<model::Tag> self;
};

const FilterTable<TagView>& tag_filters() {  // TAG-10
    using Values = FilterTable<TagView>::Values;
    static const FilterTable<TagView> table(
        [](const TagView& view) -> const std::vector<model::Tag>& { return view.self; },
        {{"key", [](const TagView& view) { return Values{view.record.tag.key}; }},
         {"value", [](const TagView& view) { return Values{view.record.tag.value}; }},
         {"resource-id",
          [](const TagView& view) { return Values{view.record.target.resource_id}; }},
         {"resource-type",
          [](const TagView& view) { return Values{view.record.target.resource_type}; }}});
    return table;
}

catalog::TagQuery narrowed(const Caller& caller, const std::vector<Filter>& filters) {
    catalog::TagQuery query;
    query.region = caller.region;
    for (const Filter& filter : filters) {
        if (filter.name.starts_with("tag:") && query.keys.empty()) {
            query.keys = {filter.name.substr(4)};
        }
        const auto values = literals(filter.values);
        if (!values) {
            continue;
        }
        if (filter.name == "key" && query.keys.empty()) {
            query.keys = *values;
        } else if (filter.name == "resource-id" && query.resource_ids.empty()) {
            query.resource_ids = *values;
        } else if (filter.name == "resource-type" && query.resource_types.empty()) {
            query.resource_types = *values;
        } else if (filter.name == "value" && query.values.empty()) {
            query.values = *values;
        }
    }
    return query;
}

// A page token names one id; the place of a tag is three texts, none of which may hold its
// separator then.
std::string place_of(const catalog::TagRecord& record) {
    return percent_encode(record.tag.key) + '/' + percent_encode(record.tag.value) + '/' +
           record.target.resource_id;
}

Result<std::optional<catalog::TagCursor>> parse_place(const PageStart& start) {
    using Place = std::optional<catalog::TagCursor>;
    if (!start.after) {
        return Place();
    }
    const auto parts = split(start.after->id, '/');
    if (parts.size() != 3) {
        return Error(Code::internal, "a page token of DescribeTags names no place");
    }
    catalog::TagCursor place;
    TRY_ASSIGN(place.key, percent_decode(parts[0], false));
    TRY_ASSIGN(place.value, percent_decode(parts[1], false));
    place.resource_id = parts[2];
    return Place(std::move(place));
}

// TAG-3: every id well-formed, then every one there. Each once, with its type.
Result<std::map<std::string, std::string>> find_resources(catalog::Transaction& tx,
                                                          const Caller& caller,
                                                          const std::vector<std::string>& ids) {
    std::map<std::string, std::string> types;
    for (const std::string& id : ids) {
        if (!types.contains(id)) {
            TRY_ASSIGN(types[id], find_taggable(tx, caller, id));
        }
    }
    return types;
}

Status check_ids(const std::vector<std::string>& ids) {
    if (ids.empty()) {
        return errors::missing_parameter("ResourceId");
    }
    if (ids.size() > kMaxTaggedResources) {
        return errors::invalid_parameter_value(
            fmt::format("At most {} resources may be named by one request.", kMaxTaggedResources));
    }
    for (const std::string& id : ids) {
        TRY(check_taggable_id(id));
    }
    return ok();
}

// TAG-1: the service's own tags do not count.
Status check_limit(const std::string& id, const std::vector<model::Tag>& there,
                   const std::vector<model::Tag>& added) {
    std::set<std::string_view> keys;
    for (const auto* tags : {&there, &added}) {
        for (const model::Tag& tag : *tags) {
            if (!is_reserved_tag(tag.key)) {
                keys.insert(tag.key);
            }
        }
    }
    if (keys.size() > kMaxTagsPerResource) {
        return Error::api(Code::resource_exhausted, "TagLimitExceeded",
                          fmt::format("The maximum number of {} tags has been reached for the "
                                      "resource '{}'.",
                                      kMaxTagsPerResource, id));
    }
    return ok();
}

// IMDS-11: an instance that shows its tags in its metadata takes only those that can be shown.
Status check_shown_tags(catalog::Transaction& tx, const model::InstanceId& id,
                        const std::vector<model::Tag>& added) {
    TRY_ASSIGN(const auto instance, tx.instances().find(id));
    return instance && instance->metadata_options.instance_tags_enabled ? check_metadata_tags(added)
                                                                        : ok();
}

std::vector<std::string> keys_of(const std::map<std::string, std::string>& types) {
    std::vector<std::string> ids;
    for (const auto& [id, type] : types) {
        ids.push_back(id);
    }
    return ids;
}

}  // namespace

std::vector<std::string> tag_filter_names() {
    return tag_filters().names();
}

Status ResourceTags::create(const Caller& caller, const std::vector<std::string>& resource_ids,
                            const std::vector<model::Tag>& tags, bool dry_run) {
    if (tags.empty()) {
        return errors::missing_parameter("Tag");
    }
    TRY(check_tags(tags));
    TRY(check_ids(resource_ids));
    return store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto types, find_resources(tx, caller, resource_ids));
        TRY_ASSIGN(auto there, tx.tags().of(caller.account, keys_of(types)));
        for (const auto& [id, type] : types) {
            TRY(check_limit(id, there[id], tags));
            if (type == "instance") {
                TRY(check_shown_tags(tx, model::InstanceId(id), tags));
            }
        }
        if (dry_run) {
            return errors::dry_run();
        }
        for (const auto& [id, type] : types) {
            TRY(put_tags(tx, caller, type, id, tags));
        }
        return ok();
    });
}

Status ResourceTags::remove(const Caller& caller, const std::vector<std::string>& resource_ids,
                            const std::vector<TagToRemove>& tags, bool dry_run) {
    for (const TagToRemove& tag : tags) {
        TRY(check_tag_key(tag.key));
    }
    TRY(check_ids(resource_ids));
    return store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto types, find_resources(tx, caller, resource_ids));
        if (dry_run) {
            return errors::dry_run();
        }
        std::map<std::string, std::vector<model::Tag>> there;
        if (tags.empty()) {
            TRY_ASSIGN(there, tx.tags().of(caller.account, keys_of(types)));
        }
        for (const auto& [id, type] : types) {
            for (const TagToRemove& tag : tags) {
                TRY(tx.tags().remove(caller.account, id, tag.key, tag.value));
            }
            for (const model::Tag& tag : there[id]) {
                if (!is_reserved_tag(tag.key)) {
                    TRY(tx.tags().remove(caller.account, id, tag.key, std::nullopt));
                }
            }
        }
        return ok();
    });
}

Result<Page<catalog::TagRecord>> ResourceTags::describe(const Caller& caller,
                                                        const DescribeTagsInput& input) {
    TRY(tag_filters().check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    TRY_ASSIGN(const auto place, parse_place(start));
    const catalog::TagQuery query = narrowed(caller, input.filters);
    const std::size_t chunk = start.limit ? std::max(*start.limit + 1, kMinChunk) : 0;
    return store_.read([&](catalog::Transaction& tx) -> Result<Page<catalog::TagRecord>> {
        std::vector<catalog::TagRecord> shown;
        auto after = place;
        while (true) {
            TRY_ASSIGN(auto records, tx.tags().page(caller.account, query, after, chunk));
            const bool more = chunk != 0 && records.size() == chunk;
            for (catalog::TagRecord& record : records) {
                after =
                    catalog::TagCursor{record.tag.key, record.tag.value, record.target.resource_id};
                const TagView view{record, {record.tag}};
                if (tag_filters().matches(input.filters, view)) {
                    shown.push_back(std::move(record));
                }
            }
            if (!more || shown.size() > *start.limit) {
                break;
            }
        }
        return cut_page(caller, input.page, start, std::move(shown),
                        [](const catalog::TagRecord& record) {
                            return catalog::Cursor{{}, place_of(record)};
                        });
    });
}

}  // namespace kiln::control
