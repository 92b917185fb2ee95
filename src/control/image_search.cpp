// SPDX-License-Identifier: Apache-2.0
#include "control/image_search.h"

#include "control/api_errors.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{1, 1000};  // PAG-2
constexpr std::size_t kIdsAtOnce = 1000;
// Reading a few more than the page holds costs less than asking again when a filter drops some.
constexpr std::size_t kMinChunk = 200;

catalog::Cursor cursor_of(const model::Image& image) {
    return {image.created, image.id.str()};
}

template <class Id>
std::vector<Id> as_ids(const std::vector<std::string>& texts) {
    std::vector<Id> ids;
    for (const std::string& text : texts) {
        ids.emplace_back(text);
    }
    return ids;
}

template <class T>
bool contains(const std::vector<T>& values, const T& value) {
    return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

Result<ImageSearch> ImageSearch::create(const Caller& caller, const DescribeImagesInput& input,
                                        UnixMillis now) {
    ImageSearch search(caller, input, now);
    TRY(image_filters().check(input.filters));
    TRY_ASSIGN(search.owners_, parse_owners(caller, input.owners));
    TRY_ASSIGN(search.executable_by_, parse_shared_with(caller, input.executable_by));
    TRY_ASSIGN(search.start_, open_page(caller, input.page, kLimits));
    return search;
}

// DI-3. Whom an image is shared with is its owner's affair (LP-14): by the id of another account
// one finds images of one's own only.
bool ImageSearch::has_permission(const model::Image& image) const {
    if (executable_by_.any || (executable_by_.everybody && image.launch_permissions.everybody)) {
        return true;
    }
    return std::any_of(
        executable_by_.accounts.begin(), executable_by_.accounts.end(),
        [&](const model::AccountId& account) {
            const bool self = account == caller_.account;
            return ((self || image.owner_id == caller_.account) &&
                    image.launch_permissions.names(account)) ||
                   (self && image.launch_permissions.names_any(caller_.organizations));
        });
}

bool ImageSearch::shows(const ImageView& view) const {
    const model::Image& image = view.image;
    if (!may_use(image, caller_) || image.state == model::ImageState::deregistered) {
        return false;  // DI-1, DR-4
    }
    if (image.state == model::ImageState::disabled && !(view.own && input_.include_disabled)) {
        return false;  // DI-5
    }
    if (input_.ids.empty() && !view.own && !input_.include_deprecated &&
        is_deprecated(image, now_)) {
        return false;  // DR-11; DI-4
    }
    return owners_.has(image.owner_id, image.owner_alias) && has_permission(image) &&
           image_filters().matches(input_.filters, view);
}

void ImageSearch::narrow_by(const Filter& filter, catalog::ImageQuery& query) const {
    if (filter.name == "name" && filter.values.size() == 1 && query.name_prefix.empty()) {
        const LiteralStart start = literal_start(filter.values[0]);
        (start.whole ? query.names.emplace_back() : query.name_prefix) = start.text;
    }
    const auto values = literals(filter.values);
    if (!values) {
        return;
    }
    if (filter.name == "name" && query.names.empty()) {
        query.names = *values;
    } else if (filter.name == "image-id" && query.ids.empty()) {
        query.ids = as_ids<model::ImageId>(*values);
    } else if (filter.name == "owner-id" && input_.owners.empty()) {
        query.owners = as_ids<model::AccountId>(*values);
    } else if (filter.name == "is-public" && values->size() == 1) {
        query.everybody = values->front() == "true";
    } else if (filter.name == "block-device-mapping.snapshot-id" && values->size() == 1 &&
               !values->front().empty()) {
        query.uses_snapshot = model::SnapshotId(values->front());
    } else if (filter.name == "tag-key" && values->size() == 1) {
        query.tags.push_back({caller_.account, values->front(), {}});
    } else if (filter.name.starts_with("tag:")) {
        query.tags.push_back({caller_.account, filter.name.substr(4), *values});
    } else if (filter.name == "state") {
        std::erase_if(query.states, [&](model::ImageState state) {
            return !contains(*values, std::string(model::to_string(state)));
        });
    }
}

catalog::ImageQuery ImageSearch::narrowed() const {
    using State = model::ImageState;
    catalog::ImageQuery query;
    query.region = caller_.region;
    query.owners = owners_.accounts;
    query.owner_aliases = owners_.aliases;
    query.shared_with = executable_by_.accounts;
    if (contains(executable_by_.accounts, caller_.account)) {
        query.shared_with_organizations = caller_.organizations;
    }
    query.or_shared_with_all = executable_by_.everybody;
    query.states = {State::pending,   State::available, State::invalid,
                    State::transient, State::failed,    State::error};
    if (input_.include_disabled) {
        query.states.push_back(State::disabled);
    }
    for (const Filter& filter : input_.filters) {
        narrow_by(filter, query);
    }
    // One's own images and public ones are visible without looking at permissions, which keeps the
    // query in the order of one index.
    const bool own_only =
        query.owner_aliases.empty() && query.owners == std::vector{caller_.account};
    if (!own_only && query.everybody != true) {
        query.visible_to = caller_.account;
        query.visible_through = caller_.organizations;
    }
    return query;
}

// IDL-1 .. IDL-3, DI-4. An image that was deregistered is no error but absent (DR-4).
Result<std::vector<ImageView>> ImageSearch::read_named(catalog::Transaction& tx) const {
    std::vector<model::Image> images;
    const std::vector<model::ImageId>& ids = input_.ids;
    for (std::size_t at = 0; at < ids.size(); at += kIdsAtOnce) {
        catalog::ImageQuery query;
        const std::size_t end = std::min(at + kIdsAtOnce, ids.size());
        query.ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(at),
                         ids.begin() + static_cast<std::ptrdiff_t>(end));
        query.region = caller_.region;
        query.visible_to = caller_.account;
        query.visible_through = caller_.organizations;
        TRY_ASSIGN(auto found, tx.images().list(query));
        std::move(found.begin(), found.end(), std::back_inserter(images));
    }
    std::set<model::ImageId> found;
    std::erase_if(images, [&](const auto& image) { return !found.insert(image.id).second; });
    std::vector<std::string> missing;
    for (const model::ImageId& id : ids) {
        if (!found.contains(id) && !contains(missing, id.str())) {
            missing.push_back(id.str());
        }
    }
    if (!missing.empty()) {
        return errors::images_not_found(missing);  // ERR-2: nor what one may not use
    }
    std::sort(images.begin(), images.end(),  // PAG-7
              [](const auto& a, const auto& b) { return is_before(cursor_of(b), cursor_of(a)); });
    if (start_.after) {
        std::erase_if(
            images, [&](const auto& image) { return !is_before(cursor_of(image), *start_.after); });
    }
    TRY_ASSIGN(auto views, load_image_views(tx, caller_, now_, std::move(images)));
    std::erase_if(views, [&](const ImageView& view) { return !shows(view); });
    return views;
}

Result<std::vector<ImageView>> ImageSearch::read_all(catalog::Transaction& tx) const {
    std::vector<ImageView> shown;
    catalog::ImageQuery query = narrowed();
    if (query.states.empty()) {
        return shown;  // a filter for states that nobody is shown
    }
    query.page.after = start_.after;
    query.page.newest_first = true;  // PAG-7
    query.page.limit = start_.limit ? std::max(*start_.limit + 1, kMinChunk) : 0;
    while (true) {
        TRY_ASSIGN(auto images, tx.images().list(query));
        const bool more = query.page.limit != 0 && images.size() == query.page.limit;
        if (more) {
            query.page.after = cursor_of(images.back());
        }
        TRY_ASSIGN(auto views, load_image_views(tx, caller_, now_, std::move(images)));
        for (ImageView& view : views) {
            if (shows(view)) {
                shown.push_back(std::move(view));
            }
        }
        if (!more || shown.size() > *start_.limit) {
            return shown;
        }
    }
}

Result<Page<ImageView>> ImageSearch::run(catalog::Transaction& tx) const {
    TRY_ASSIGN(auto views, input_.ids.empty() ? read_all(tx) : read_named(tx));
    return cut_page(caller_, input_.page, start_, std::move(views),
                    [](const ImageView& view) { return cursor_of(view.image); });
}

}  // namespace kiln::control
