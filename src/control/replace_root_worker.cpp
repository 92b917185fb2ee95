// SPDX-License-Identifier: Apache-2.0
// ReplaceRoots: the work that follows a request (RRV-4).
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "control/api_errors.h"
#include "control/contents.h"
#include "control/device_mappings.h"
#include "control/replace_roots.h"
#include "control/volumes.h"
#include "util/log.h"

namespace kiln::control {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kStepTime{60};
// A start that failed this often will not succeed by itself.
constexpr std::uint32_t kMaxStartAttempts = 4;

json to_json(const RootFacts& facts) {
    return {{"image", facts.image.str()},
            {"boot_mode", facts.boot_mode ? std::string(model::to_string(*facts.boot_mode)) : ""},
            {"current_boot_mode", std::string(model::to_string(facts.current_boot_mode))},
            {"ena", facts.ena_support},
            {"sriov", facts.sriov_net_simple},
            {"launch_snapshot", facts.launch_snapshot.str()}};
}

std::string text_of(const json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

bool flag_of(const json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

Result<RootFacts> facts_from(const json& object) {
    const auto current = model::parse<model::BootMode>(text_of(object, "current_boot_mode"));
    if (!current) {
        return Error(Code::data_loss, "the payload of a replace-root job is not understood");
    }
    RootFacts facts;
    facts.image = model::ImageId(text_of(object, "image"));
    facts.boot_mode = model::parse<model::BootMode>(text_of(object, "boot_mode"));
    facts.current_boot_mode = *current;
    facts.ena_support = flag_of(object, "ena");
    facts.sriov_net_simple = flag_of(object, "sriov");
    facts.launch_snapshot = model::SnapshotId(text_of(object, "launch_snapshot"));
    return facts;
}

bool can_be_retried(const Error& error) {
    switch (error.code()) {
        case Code::unavailable:
        case Code::deadline_exceeded:
        case Code::resource_exhausted:
        case Code::conflict:
            return true;
        default:
            return false;
    }
}

bool ends(const model::Instance& instance) {
    return instance.state == model::InstanceState::shutting_down ||
           instance.state == model::InstanceState::terminated;
}

Status erase_volume(catalog::Transaction& tx, const Parts& parts, const model::VolumeId& id) {
    TRY_ASSIGN(const auto volume, tx.volumes().find(id));
    if (!volume) {
        return ok();
    }
    TRY(tx.volumes().erase(id));
    TRY(tx.tags().erase_resource(id.str()));
    TRY(queue_layer_drop(tx, parts, volume->active_layer));
    return release_content(tx, parts, volume->base_content);
}

// `from` gives its place at the instance to `to`.
Status hand_over(catalog::Transaction& tx, model::Volume from, model::Volume to,
                 const model::InstanceId& instance, UnixMillis now) {
    const model::VolumeAttachment place = model::attachment_to(from, instance);
    TRY(model::end_attachment(from, instance));
    if (to.state == model::VolumeState::creating) {
        TRY_ASSIGN(to.state, model::next(to.state, model::VolumeEvent::created, to.id));
    }
    TRY(model::add_attachment(to, {instance, place.device, model::AttachmentState::attached,
                                   place.delete_on_termination, now}));
    TRY(tx.volumes().update(from));
    return tx.volumes().update(to);
}

}  // namespace

Status check_given_root(const model::Volume& volume, const model::Instance& instance) {
    model::Volume attached = volume;
    TRY(model::add_attachment(
        attached,
        {instance.id, instance.root_device_name, model::AttachmentState::attached, false, {}}));
    TRY(check_attachable(volume, instance, instance.root_device_name));
    if (is_cold(volume.type)) {
        return errors::cold_root(model::to_string(volume.type));
    }
    return ok();
}

std::string ReplaceRootPayload::text() const {
    return json{{"task", task.str()}, {"before", to_json(before)}, {"after", to_json(after)}}
        .dump();
}

Result<ReplaceRootPayload> ReplaceRootPayload::parse(const std::string& text) {
    const json document = json::parse(text, nullptr, false);
    if (!document.is_object() || !document.contains("before") || !document.contains("after")) {
        return Error(Code::data_loss, "the payload of a replace-root job is not understood");
    }
    ReplaceRootPayload payload;
    payload.task = model::ReplaceRootTaskId(text_of(document, "task"));
    TRY_ASSIGN(payload.before, facts_from(document["before"]));
    TRY_ASSIGN(payload.after, facts_from(document["after"]));
    return payload;
}

void ReplaceRoots::install(JobRunner& runner) {
    runner.handle(kReplaceRootJob, [this](const model::Job& job) { return turn(job); });
}

// What may succeed later is tried again, for a while.
Status ReplaceRoots::try_exchange(const model::Job& job, const model::ReplaceRootTask& task) {
    Status done = exchange(job, task);
    if (done || job.attempts + 1 < kMaxStartAttempts) {
        return done;
    }
    TRY_ASSIGN(const auto now, parts_.store.read([&](catalog::Transaction& tx) {
        return tx.replace_root_tasks().get(task.id);
    }));
    return model::is_over(now.state) ? done : fail(job, now, done.error().message());
}

Status ReplaceRoots::turn(const model::Job& job) {
    TRY_ASSIGN(const ReplaceRootPayload payload, ReplaceRootPayload::parse(job.payload));
    const model::InstanceId id(job.subject);
    TRY_ASSIGN(const auto task,
               parts_.store.run(
                   [&](catalog::Transaction& tx) -> Result<std::optional<model::ReplaceRootTask>> {
                       TRY_ASSIGN(auto row, tx.replace_root_tasks().find(payload.task));
                       if (row && row->state == model::ReplaceRootState::pending) {
                           row->state = model::ReplaceRootState::in_progress;
                           TRY(tx.replace_root_tasks().update(*row));
                       }
                       return row;
                   }));
    if (!task || model::is_over(task->state)) {
        return instances_.give_back(job);
    }
    TRY_ASSIGN(const model::Instance instance,
               parts_.store.read([&](catalog::Transaction& tx) { return tx.instances().get(id); }));
    if (task->state == model::ReplaceRootState::failing) {
        return fail(job, *task, task->failure);
    }
    if (ends(instance) && !task->switched) {
        return fail(job, *task, "the instance was terminated");
    }
    if (!task->switched) {
        TRY_ASSIGN(const bool ready, instances_.take_hold(job));
        if (!ready) {
            return ok();
        }
        return try_exchange(job, *task);
    }
    return start(job, *task);
}

Status ReplaceRoots::end_machine(const model::InstanceId& id) {
    const Status killed = parts_.hypervisor.kill(machine_id(id), Deadline::after(kStepTime));
    return killed || killed.error().code() == Code::not_found ? ok() : killed;
}

void ReplaceRoots::close(const model::VolumeId& id, const model::InstanceId& instance) {
    if (const Status closed = access_.close(id, instance, Deadline::after(kStepTime)); !closed) {
        // It is closed all the same, and what the guest had flushed is safe.
        log_error("instances", fmt::format("closing {}: {}", id.str(), closed.error().to_string()));
    }
}

// RRV-6: nobody has taken or deleted the given volume since it was asked for.
Status ReplaceRoots::check_given(const model::ReplaceRootTask& task) {
    if (!task.volume_given) {
        return ok();
    }
    return parts_.store.read([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto volume, tx.volumes().find(task.new_root));
        if (!volume) {
            return errors::volume_not_found(task.new_root);
        }
        TRY_ASSIGN(const model::Instance instance, tx.instances().get(task.instance_id));
        return check_given_root(*volume, instance);
    });
}

Status ReplaceRoots::exchange(const model::Job& job, const model::ReplaceRootTask& task) {
    TRY_ASSIGN(const ReplaceRootPayload payload, ReplaceRootPayload::parse(job.payload));
    if (const Status fit = check_given(task); !fit) {
        return can_be_retried(fit.error()) ? fit : fail(job, task, fit.error().message());
    }
    TRY(end_machine(task.instance_id));
    close(task.old_root, task.instance_id);
    TRY_ASSIGN(const auto now,
               parts_.store.run([&](catalog::Transaction& tx) -> Result<model::ReplaceRootTask> {
                   TRY_ASSIGN(model::ReplaceRootTask row, tx.replace_root_tasks().get(task.id));
                   TRY_ASSIGN(const model::Volume old_root, tx.volumes().get(task.old_root));
                   TRY_ASSIGN(const model::Volume new_root, tx.volumes().get(task.new_root));
                   TRY_ASSIGN(model::Instance instance, tx.instances().get(task.instance_id));
                   if (row.volume_given) {
                       TRY(check_given_root(new_root, instance));
                   }
                   TRY(hand_over(tx, old_root, new_root, task.instance_id, parts_.clock.now()));
                   apply_root_facts(instance, payload.after);
                   TRY(tx.instances().update(instance));
                   row.switched = true;
                   TRY(tx.replace_root_tasks().update(row));
                   return row;
               }));
    log_info("instances", fmt::format("{}: {} takes the place of {}", task.instance_id.str(),
                                      task.new_root.str(), task.old_root.str()));
    return start(job, now);
}

Status ReplaceRoots::start(const model::Job& job, const model::ReplaceRootTask& task) {
    if (const Status going = instances_.go_on(task.instance_id); !going) {
        if (can_be_retried(going.error()) && job.attempts + 1 < kMaxStartAttempts) {
            return going;
        }
        return fail(job, task, going.error().message());
    }
    if (task.delete_replaced_root) {
        TRY(access_.close_for_good(task.old_root, Deadline::after(kStepTime)));
    }
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::ReplaceRootTask row, tx.replace_root_tasks().get(task.id));
        row.state = model::ReplaceRootState::succeeded;
        row.completed = parts_.clock.now();
        TRY(tx.replace_root_tasks().update(row));
        // One that somebody attached elsewhere meanwhile is his.
        TRY_ASSIGN(const auto old_root, tx.volumes().find(task.old_root));
        if (task.delete_replaced_root && old_root && old_root->attachments.empty()) {
            return erase_volume(tx, parts_, task.old_root);
        }
        return ok();
    }));
    return instances_.give_back(job);
}

Status ReplaceRoots::fail(const model::Job& job, const model::ReplaceRootTask& task,
                          const std::string& why) {
    TRY_ASSIGN(const ReplaceRootPayload payload, ReplaceRootPayload::parse(job.payload));
    log_error("instances",
              fmt::format("{}: its root is not replaced: {}", task.instance_id.str(), why));
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::ReplaceRootTask row, tx.replace_root_tasks().get(task.id));
        row.state = model::ReplaceRootState::failing;
        row.failure = why;
        return tx.replace_root_tasks().update(row);
    }));
    if (task.switched) {
        TRY(end_machine(task.instance_id));
        close(task.new_root, task.instance_id);
        TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
            TRY_ASSIGN(model::ReplaceRootTask row, tx.replace_root_tasks().get(task.id));
            TRY_ASSIGN(const auto old_root, tx.volumes().find(task.old_root));
            TRY_ASSIGN(const model::Volume new_root, tx.volumes().get(task.new_root));
            TRY_ASSIGN(model::Instance instance, tx.instances().get(task.instance_id));
            if (!row.switched || new_root.attachments.empty() || !old_root ||
                !old_root->attachments.empty()) {
                return ok();
            }
            TRY(hand_over(tx, new_root, *old_root, task.instance_id, parts_.clock.now()));
            apply_root_facts(instance, payload.before);
            TRY(tx.instances().update(instance));
            row.switched = false;
            return tx.replace_root_tasks().update(row);
        }));
    }
    // Its machine may be off, whether or not the volumes were exchanged.
    if (const Status going = instances_.go_on(task.instance_id); !going) {
        if (can_be_retried(going.error()) && job.attempts + 1 < kMaxStartAttempts) {
            return going;
        }
        log_error("instances", fmt::format("{} does not start with its old root: {}",
                                           task.instance_id.str(), going.error().to_string()));
    }
    if (!task.volume_given) {
        TRY(access_.close_for_good(task.new_root, Deadline::after(kStepTime)));
    }
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::ReplaceRootTask row, tx.replace_root_tasks().get(task.id));
        row.state = row.switched ? model::ReplaceRootState::failed_detached
                                 : model::ReplaceRootState::failed;
        row.completed = parts_.clock.now();
        TRY(tx.replace_root_tasks().update(row));
        // A given one is free again, with what the guest may have written to it.
        return row.switched || row.volume_given ? ok() : erase_volume(tx, parts_, task.new_root);
    }));
    return instances_.give_back(job);
}

}  // namespace kiln::control
