// SPDX-License-Identifier: Apache-2.0
// CI-4: the image of a running instance whose guest is shut down for it. The job `image.create`
// holds the instance (has_hold()): an end or a reboot that is asked for meanwhile waits, and
// volumes are neither attached nor detached (CI-14).
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "control/api_errors.h"
#include "control/create_image.h"
#include "control/instances.h"
#include "control/quotas.h"
#include "control/snapshots.h"
#include "util/log.h"

namespace kiln::control {
namespace {

using nlohmann::json;

// What the job keeps: the image, where its snapshots are to lie, and their tags.
std::string pack(const model::ImageId& image, const std::string& location,
                 const std::vector<model::Tag>& tags) {
    json list = json::array();
    for (const model::Tag& tag : tags) {
        list.push_back({tag.key, tag.value});
    }
    return json{{"image", image.str()}, {"location", location}, {"snapshot_tags", list}}.dump();
}

struct Payload {
    model::ImageId image;
    std::string location;
    std::vector<model::Tag> tags;
};

Result<Payload> unpack(const std::string& text) {
    const json document = json::parse(text, nullptr, false);
    if (!document.is_object() || !document.contains("image") ||
        !document.contains("snapshot_tags")) {
        return Error(Code::data_loss, "the payload of an image.create job is not understood");
    }
    Payload payload;
    payload.image = model::ImageId(document["image"].get<std::string>());
    payload.location = document.value("location", "");  // older jobs have none
    for (const json& tag : document["snapshot_tags"]) {
        payload.tags.push_back({tag[0].get<std::string>(), tag[1].get<std::string>()});
    }
    return payload;
}

// The volumes the image was planned with, as they are attached now.
std::vector<ImagePlan::Cut> cuts_of(const model::Image& image,
                                    const std::vector<model::Volume>& volumes,
                                    const model::InstanceId& instance) {
    std::vector<ImagePlan::Cut> cuts;
    for (std::size_t i = 0; i < image.block_device_mappings.size(); ++i) {
        const model::BlockDeviceMapping& mapping = image.block_device_mappings[i];
        for (const model::Volume& volume : volumes) {
            if (mapping.ebs && mapping.ebs->snapshot_id.empty() &&
                model::same_device(model::attachment_to(volume, instance).device,
                                   mapping.device_name)) {
                cuts.push_back({i, volume});
            }
        }
    }
    return cuts;
}

// IMS-4
std::string failure_code(const Error& error) {
    return error.code() == Code::resource_exhausted && error.has_api_code()
               ? "Client." + error.api_code()
               : "Server.InternalError";
}

}  // namespace

void CreateImages::install(JobRunner& runner) {
    runner.handle(kCreateImageJob, [this](const model::Job& job) { return turn(job); });
    runner.handle(kSettleImageJob, [this](const model::Job& job) { return settle(job); });
}

Result<model::ImageId> CreateImages::create_after_shutdown(const Caller& caller,
                                                           const CreateImageInput& input) {
    const auto id = parts_.store.run([&](catalog::Transaction& tx) -> Result<model::ImageId> {
        TRY_ASSIGN(const Checked checked, check(tx, caller, input));
        TRY_ASSIGN(const model::Image image, insert(tx, caller, input, checked));
        model::Job job =
            make_job(parts_.rng, image.created, kCreateImageJob, input.instance_id.str(), "ask");
        job.payload = pack(image.id, input.snapshot_location, tags_for(input.tags, "snapshot"));
        TRY(tx.jobs().add(job));
        return image.id;
    });
    work_added_();
    return id;
}

Status CreateImages::turn(const model::Job& job) {
    const model::InstanceId instance_id(job.subject);
    TRY_ASSIGN(const Payload payload, unpack(job.payload));
    std::optional<model::Image> image;
    TRY_ASSIGN(const model::Instance instance,
               parts_.store.read([&](catalog::Transaction& tx) -> Result<model::Instance> {
                   TRY_ASSIGN(image, tx.images().find(payload.image));
                   return tx.instances().get(instance_id);
               }));
    if (!image || image->state != model::ImageState::pending) {
        return instances_.give_back(job);  // deregistered meanwhile
    }
    if (instance.state == model::InstanceState::shutting_down ||
        instance.state == model::InstanceState::terminated) {  // CI-13
        TRY(fail_image(payload.image, "Client.InstanceTerminated",
                       "The instance was terminated before its image was cut."));
        return instances_.give_back(job);
    }
    TRY_ASSIGN(const bool ready, instances_.take_hold(job));
    if (!ready) {
        return ok();
    }
    TRY(instances_.cut_off(instance_id));
    return cut_and_go_on(job, *image, instance);
}

Status CreateImages::cut_and_go_on(const model::Job& job, const model::Image& image,
                                   const model::Instance& instance) {
    const model::InstanceId& instance_id = instance.id;
    TRY_ASSIGN(const Payload payload, unpack(job.payload));
    Caller caller;
    caller.account = image.owner_id;
    caller.region = image.region;
    const auto planned = [&](catalog::Transaction& tx) -> Result<std::vector<ImagePlan::Cut>> {
        catalog::VolumeQuery attached;
        attached.attached_to = {instance_id};
        TRY_ASSIGN(const auto volumes, tx.volumes().list(attached));
        return cuts_of(image, volumes, instance_id);
    };
    TRY_ASSIGN(const auto cuts, parts_.store.read(planned));
    std::vector<model::VolumeId> ids;
    for (const ImagePlan::Cut& cut : cuts) {
        ids.push_back(cut.volume.id);
    }
    if (!ids.empty()) {  // else it was cut before a crash
        const auto make = [&]() -> Status {
            // The guest is off: they are as it left them.
            TRY_ASSIGN(const Variables variables, variables_of(instance));
            const auto cut = [&](catalog::Transaction& tx) -> Result<std::vector<model::Snapshot>> {
                TRY_ASSIGN(model::Image row, tx.images().get(image.id));
                TRY_ASSIGN(const auto now, planned(tx));
                // QT-4: others may have taken the places while the guest shut down.
                TRY(check_snapshot_quota(tx, parts_.settings.quotas, caller, now.size()));
                return draft(tx, caller, row, now, payload.location, payload.tags, variables);
            };
            TRY(cuts_.cut(ids, cut));
            return ok();
        };
        if (const Status cut = make(); !cut) {
            log_error("images", fmt::format("{}: {}", image.id.str(), cut.error().to_string()));
            TRY(fail_image(image.id, failure_code(cut.error()),
                           errors::told(cut.error(), kNotCut)));
        }
    }
    // The guest goes on at once; what is left to do for the image needs it no more.
    TRY(instances_.go_on(instance_id));
    TRY(parts_.store.run([&](catalog::Transaction& tx) {
        return tx.jobs().add(
            make_job(parts_.rng, parts_.clock.now(), kSettleImageJob, image.id.str(), ""));
    }));
    return instances_.give_back(job);
}

}  // namespace kiln::control
