// SPDX-License-Identifier: Apache-2.0
#include "block/detail/cut.h"

#include "block/detail/join.h"

namespace kiln::block {

Cut::Cut(const EngineParts& parts, std::vector<Member> members, std::string set_id,
         std::shared_ptr<Meeting> instant, io::Callback<bool> swapped, Done done)
    : parts_(parts),
      members_(std::move(members)),
      set_id_(std::move(set_id)),
      instant_(std::move(instant)),
      swapped_(std::move(swapped)),
      done_(std::move(done)) {}

void Cut::start(const EngineParts& parts, std::vector<Member> members, std::string set_id,
                std::shared_ptr<Meeting> instant, io::Callback<bool> swapped, Done done) {
    const std::shared_ptr<Cut> self(new Cut(parts, std::move(members), std::move(set_id),
                                            std::move(instant), std::move(swapped),
                                            std::move(done)));
    parts.scheduler.post([self] { self->make_successors(); });
}

// --- before the instant: any error leaves everything as it was ---

Status Cut::check_members() const {
    for (const Member& member : members_) {
        if (member.volume.seal_failed) {
            return Error(
                Code::failed_precondition,
                "volume " + member.volume.id.str() + " stands on a layer that could not be sealed");
        }
        if (!member.expected.empty() && member.volume.active->id() != member.expected) {
            return Error(Code::failed_precondition,
                         "volume " + member.volume.id.str() + " writes to layer " +
                             member.volume.active->id().str() + ", not to " +
                             member.expected.str() + ": a cut before this one failed");
        }
    }
    return ok();
}

void Cut::make_successors() {
    if (Status fine = check_members(); !fine) {
        meet_prepared(std::move(fine));
        return;
    }
    const auto join = Join::create([self = shared_from_this()](Status status) {
        if (!status) {
            self->meet_prepared(std::move(status));
        } else {
            self->flush();
        }
    });
    for (Member& member : members_) {
        parts_.layers.open(
            {.layer = member.successor,
             .volume = member.volume.id,
             .size_bytes = member.volume.volume->size_bytes(),
             .writable = true,
             .create = true},
            [&member, done = join->arm()](Result<std::shared_ptr<UsedLayer>> layer) mutable {
                if (!layer) {
                    done(std::move(layer.error()));
                    return;
                }
                member.layer = *std::move(layer);
                const std::uint64_t blocks = member.layer->blocks();
                const BlockRun run = member.layer->presence(0, blocks);
                done(run.state == BlockState::absent && run.count == blocks
                         ? ok()
                         : Status(Error(Code::failed_precondition,
                                        "layer " + member.successor.str() + " is not empty")));
            });
    }
    join->ready();
}

// So that sealing has little left to do, and the device is known to work.
void Cut::flush() {
    const auto join = Join::create(
        [self = shared_from_this()](Status status) { self->meet_prepared(std::move(status)); });
    for (const Member& member : members_) {
        member.volume.volume->flush(join->arm());
    }
    join->ready();
}

void Cut::meet_prepared(Status status) {
    instant_->come(parts_.scheduler, std::move(status), [self = shared_from_this()](Status all) {
        if (!all) {
            self->give_up(std::move(all.error()));
        } else {
            self->pause();
        }
    });
}

void Cut::give_up(Error error) {
    const auto join =
        Join::create([self = shared_from_this(), error = std::move(error)](Status) mutable {
            for (Member& member : self->members_) {
                member.layer.reset();
                member.volume.release();
            }
            self->swapped_(false);
            self->done_(std::move(error).with("cut " + self->set_id_));
        });
    for (const Member& member : members_) {
        if (member.layer) {
            member.layer->close(join->arm());
        }
    }
    join->ready();
}

// --- the instant ---

void Cut::pause() {
    const auto join = Join::create([self = shared_from_this()](Status) {
        self->instant_->come(self->parts_.scheduler, ok(), [self](Status) { self->swap(); });
    });
    for (const Member& member : members_) {
        member.volume.volume->pause([done = join->arm()]() mutable { done(ok()); });
    }
    join->ready();
}

void Cut::swap() {
    for (Member& member : members_) {
        OpenVolume& volume = member.volume;
        const Stack& old = *volume.volume->stack();
        Stack stack = old;
        stack.active = member.layer;
        stack.sealed.insert(stack.sealed.begin(), old.active);
        ++stack.unsealed;
        volume.volume->replace_stack(std::make_shared<const Stack>(std::move(stack)));
        member.old = std::exchange(volume.active, std::move(member.layer));
        volume.layers.insert(volume.layers.begin(), member.old);
        volume.contents.insert(volume.contents.begin(), member.content);
        volume.base = member.content;
        ++volume.changes;
    }
    for (const Member& member : members_) {
        member.volume.volume->resume();
    }
    swapped_(true);
    const auto join = Join::create([self = shared_from_this()](Status status) {
        for (Member& member : self->members_) {
            member.old.reset();
            member.volume.release();
        }
        self->done_(status ? ok() : Status(std::move(status.error()).with("cut " + self->set_id_)));
    });
    for (Member& member : members_) {
        seal(member, join->arm());
    }
    join->ready();
}

// --- after it ---

void Cut::seal(Member& member, Done done) {
    OpenVolume& volume = member.volume;
    if (!volume.sealing) {
        seal_now(member, std::move(done));
        return;
    }
    volume.to_seal.emplace_back(
        [self = shared_from_this(), &member, done = std::move(done)]() mutable {
            self->seal_now(member, std::move(done));
        });
}

void Cut::seal_now(Member& member, Done done) {
    OpenVolume& volume = member.volume;
    volume.sealing = true;
    if (volume.seal_failed) {
        sealed(member, Error(Code::failed_precondition, "the layer below could not be sealed"),
               std::move(done));
        return;
    }
    member.old->seal(
        {.set_id = set_id_, .successor = member.successor.str()},
        [self = shared_from_this(), &member, done = std::move(done)](Status status) mutable {
            self->sealed(member, std::move(status), std::move(done));
        });
}

void Cut::sealed(Member& member, Status status, Done done) {
    OpenVolume& volume = member.volume;
    volume.sealing = false;
    if (status) {
        // The oldest of the unsealed ones: the last of the first `unsealed`.
        Stack stack = *volume.volume->stack();
        INVARIANT(stack.unsealed > 0 && stack.sealed[stack.unsealed - 1] == member.old);
        --stack.unsealed;
        volume.volume->replace_stack(std::make_shared<const Stack>(std::move(stack)));
    } else {
        volume.seal_failed = true;
        status = std::move(status.error()).with("seal layer " + member.old->id().str());
    }
    if (!volume.to_seal.empty()) {
        io::Callback<> next = std::move(volume.to_seal.front());
        volume.to_seal.pop_front();
        next();
    }
    done(std::move(status));
}

}  // namespace kiln::block
