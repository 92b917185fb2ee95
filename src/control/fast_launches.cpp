// SPDX-License-Identifier: Apache-2.0
// FastLaunches: what requests check and write. The work is in fast_launch_worker.cpp.
#include "control/fast_launches.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "control/api_errors.h"
#include "control/image_rules.h"
#include "control/images.h"
#include "control/region_settings.h"

namespace kiln::control {
namespace {

using model::FastLaunchState;
using Values = std::vector<std::string>;

constexpr PageLimits kLimits{0, 200};  // PAG-2
constexpr std::int64_t kDefaultTarget = 5;
constexpr std::int64_t kLeastParallel = 6;
constexpr char kResourceType[] = "snapshot";
constexpr char kRequested[] = "Client.UserInitiated";

Error invalid_request(std::string message) {
    return Error::api(Code::failed_precondition, "InvalidRequest", std::move(message));
}

FastLaunchView view_of(const model::Image& image, const model::FastLaunch& launch) {
    return {image.id, image.owner_id, launch};
}

Result<std::uint32_t> checked_count(std::optional<std::int64_t> given, std::int64_t otherwise,
                                    std::int64_t least, std::string_view name) {
    const std::int64_t count = given.value_or(otherwise);
    if (count < least || count > std::numeric_limits<std::int32_t>::max()) {
        return errors::invalid_parameter_value(
            fmt::format("Value ({}) for parameter {} is invalid. Expecting a value of at least {}.",
                        count, name, least));
    }
    return static_cast<std::uint32_t>(count);
}

// FLN-1: an image that a machine of Windows is launched from.
Result<model::Image> find_preparable(catalog::Transaction& tx, const Caller& caller,
                                     const model::ImageId& id) {
    TRY_ASSIGN(auto image, Images::find_launchable(tx, caller, id));
    if (image.platform != "windows") {
        return invalid_request(fmt::format(
            "The image '{}' is no Windows image. Fast launch is for Windows images.", id.str()));
    }
    if (image.root_device_type != model::RootDeviceType::ebs) {
        return invalid_request(fmt::format("The image '{}' has no EBS root volume.", id.str()));
    }
    return image;
}

// One that the caller has a record with, though it may not launch it any more; else as for a
// launch.
Result<model::Image> find_enabled(catalog::Transaction& tx, const Caller& caller,
                                  const model::ImageId& id) {
    TRY_ASSIGN(auto image, tx.images().find(id));
    if (image && image->region == caller.region &&
        find_fast_launch(*image, caller.account) != nullptr) {
        return std::move(*image);
    }
    return Images::find_launchable(tx, caller, id);
}

// The images that the caller's settings name and that still have a record of the caller.
Result<std::vector<model::Image>> enabled_images(catalog::Transaction& tx,
                                                 const model::RegionSettings& settings) {
    std::vector<model::Image> images;
    for (const model::ImageId& id : settings.fast_launched) {
        TRY_ASSIGN(auto image, tx.images().find(id));
        if (image && find_fast_launch(*image, settings.account) != nullptr) {
            images.push_back(std::move(*image));
        }
    }
    return images;
}

Status name_in_settings(catalog::Transaction& tx, const Caller& caller, const model::ImageId& id,
                        UnixMillis now) {
    TRY_ASSIGN(auto settings, region_settings(tx, caller.account, caller.region));
    TRY_ASSIGN(const auto before, enabled_images(tx, settings));
    std::vector<model::ImageId> names{id};
    for (const model::Image& image : before) {
        names.push_back(image.id);
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    if (names == settings.fast_launched) {
        return ok();
    }
    settings.fast_launched = std::move(names);
    return save_region_settings(tx, std::move(settings), now);
}

// IDL-2: an image that is not there for the caller is an error; one that has no record is not.
Status check_ids(catalog::Transaction& tx, const Caller& caller,
                 const std::vector<model::ImageId>& ids) {
    std::vector<std::string> missing;
    for (const model::ImageId& id : ids) {
        TRY_ASSIGN(auto image, tx.images().find(id));
        if (!image || image->region != caller.region ||
            (find_fast_launch(*image, caller.account) == nullptr &&
             (image->state == model::ImageState::deregistered || !may_use(*image, caller)))) {
            missing.push_back(id.str());
        }
    }
    return missing.empty() ? ok() : Status(errors::images_not_found(missing));
}

}  // namespace

void FastLaunches::install(JobRunner& runner) {
    // A cut takes its time, and machines are waited for: nothing else is kept waiting by it.
    runner.handle(
        kFastLaunchJob, [this](const model::Job& job) { return turn(job); }, "fast launches");
}

void FastLaunches::launch_with(Launcher launcher) {
    MutexLock lock(mutex_);
    launcher_ = std::move(launcher);
}

FastLaunches::Launcher FastLaunches::launcher() {
    MutexLock lock(mutex_);
    return launcher_;
}

Result<FastLaunchView> FastLaunches::enable_in(catalog::Transaction& tx, const Caller& caller,
                                               const EnableFastLaunchInput& input,
                                               const model::FastLaunch& wanted) {
    TRY_ASSIGN(auto image, find_preparable(tx, caller, input.image));
    const FastLaunchKey key{image.id, caller.account};
    const UnixMillis now = parts_.clock.now();
    model::FastLaunch* launch = find_fast_launch(image, caller.account);
    if (launch == nullptr) {
        launch = &image.fast_launches.emplace_back(wanted);
        launch->begun = now;
        set_state(*launch, FastLaunchState::enabling, kRequested, now);
        TRY(tx.jobs().add(make_job(parts_.rng, now, kFastLaunchJob, key.text(), "")));
        TRY(name_in_settings(tx, caller, image.id, now));
    } else if (model::ends(launch->state)) {
        return invalid_request(fmt::format("Fast launch of the image '{}' is {}.", image.id.str(),
                                           model::to_string(launch->state)));
    } else {  // FLN-2
        const bool anew = launch->ready.size() < wanted.target;
        launch->target = wanted.target;
        launch->parallel = wanted.parallel;
        launch->template_id = wanted.template_id;
        launch->template_name = wanted.template_name;
        launch->template_version = wanted.template_version;
        if (anew || launch->state != FastLaunchState::enabled) {
            set_state(*launch, FastLaunchState::enabling, kRequested, now);
        }
        TRY(tx.jobs().wake(key.text(), now));
    }
    TRY(tx.images().update(image));
    return view_of(image, *launch);
}

Result<FastLaunchView> FastLaunches::enable(const Caller& caller,
                                            const EnableFastLaunchInput& input) {
    if (!input.resource_type.empty() && input.resource_type != kResourceType) {
        return errors::invalid_parameter_value(
            fmt::format("Value ({}) for parameter ResourceType is invalid. It is {}.",
                        input.resource_type, kResourceType));
    }
    model::FastLaunch wanted;
    wanted.account = caller.account;
    TRY_ASSIGN(wanted.target, checked_count(input.target, kDefaultTarget, 1,
                                            "SnapshotConfiguration.TargetResourceCount"));
    TRY_ASSIGN(wanted.parallel, checked_count(input.parallel, kLeastParallel, kLeastParallel,
                                              "MaxParallelLaunches"));
    TRY(parts_.store.read(
        [&](catalog::Transaction& tx) { return find_preparable(tx, caller, input.image); }));
    if (input.launch_template) {
        TRY_ASSIGN(const auto found,
                   templates_.find(caller, *input.launch_template, input.template_version));
        wanted.template_id = found.of.id;
        wanted.template_name = found.of.name;
        // The version that the caller's permissions are tried with, whatever comes after it.
        wanted.template_version = std::to_string(found.version.number);
    }
    // FLN-1: the caller may launch it so, and it can be launched so.
    const Launcher launcher = this->launcher();
    if (!launcher) {
        return Error(Code::unavailable, "the service is not ready to launch");
    }
    PreparingLaunch trial{input.image, wanted.template_id, wanted.template_version, {}, {}, true};
    const auto tried = launcher(caller, trial);
    if (!tried && tried.error().api_code() != errors::dry_run().api_code()) {
        return tried.error();
    }
    if (input.dry_run) {
        return errors::dry_run();
    }
    auto view = parts_.store.run(
        [&](catalog::Transaction& tx) { return enable_in(tx, caller, input, wanted); });
    work_added_();
    return view;
}

Result<FastLaunchView> FastLaunches::disable(const Caller& caller,
                                             const DisableFastLaunchInput& input) {
    auto view = parts_.store.run([&](catalog::Transaction& tx) -> Result<FastLaunchView> {
        TRY_ASSIGN(auto image, find_enabled(tx, caller, input.image));
        model::FastLaunch* launch = find_fast_launch(image, caller.account);
        if (launch == nullptr) {
            return invalid_request(
                fmt::format("Fast launch is not enabled for the image '{}'.", image.id.str()));
        }
        if (input.dry_run) {
            return errors::dry_run();
        }
        const UnixMillis now = parts_.clock.now();
        if (launch->state != FastLaunchState::disabling) {
            set_state(*launch, FastLaunchState::disabling, kRequested, now);
        }
        launch->force = launch->force || input.force;
        TRY(tx.images().update(image));
        TRY(tx.jobs().wake(FastLaunchKey{image.id, caller.account}.text(), now));
        return view_of(image, *launch);
    });
    work_added_();
    return view;
}

const FilterTable<FastLaunchView>& fast_launch_filters() {
    using View = FastLaunchView;
    static const std::vector<model::Tag> kNoTags;
    static const FilterTable<View> table(
        [](const View&) -> const std::vector<model::Tag>& { return kNoTags; },
        {{"owner-id", [](const View& view) { return Values{view.launch.account.str()}; }},
         {"resource-type", [](const View&) { return Values{kResourceType}; }},
         {"state", [](const View& view) {
              return Values{std::string(model::to_string(view.launch.state))};
          }}});
    return table;
}

Result<Page<FastLaunchView>> FastLaunches::describe(const Caller& caller,
                                                    const DescribeFastLaunchesInput& input) {
    TRY(fast_launch_filters().check(input.filters));
    PageRequest request = input.page;
    if (request.max_results == 0) {  // PAG-2: allowed, and asks for no pages
        request.max_results.reset();
    }
    TRY_ASSIGN(const PageStart start, open_page(caller, request, kLimits));
    const auto cursor_of = [](const FastLaunchView& view) {
        return catalog::Cursor{view.launch.begun, view.image.str()};
    };
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<FastLaunchView>> {
        TRY(check_ids(tx, caller, input.images));
        TRY_ASSIGN(const auto settings, region_settings(tx, caller.account, caller.region));
        TRY_ASSIGN(auto images, enabled_images(tx, settings));
        std::vector<FastLaunchView> views;
        for (model::Image& image : images) {
            const auto& ids = input.images;
            const bool named =
                ids.empty() || std::find(ids.begin(), ids.end(), image.id) != ids.end();
            FastLaunchView view = view_of(image, *find_fast_launch(image, caller.account));
            if (named && is_after(cursor_of(view), start) &&
                fast_launch_filters().matches(input.filters, view)) {
                views.push_back(std::move(view));
            }
        }
        std::sort(views.begin(), views.end(), [&](const auto& a, const auto& b) {
            return is_before(cursor_of(a), cursor_of(b));
        });
        return cut_page(caller, request, start, std::move(views), cursor_of);
    });
}

}  // namespace kiln::control
