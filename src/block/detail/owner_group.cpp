// SPDX-License-Identifier: Apache-2.0
#include "block/detail/owner_group.h"

#include <map>
#include <set>

#include "block/detail/meeting.h"

namespace kiln::block {
namespace {

Status check_members(const std::vector<CutMember>& members, const std::string& set_id) {
    if (members.empty() || !valid_id(set_id)) {
        return Error(Code::invalid_argument, "a cut has members, and an id as a layer has");
    }
    std::set<VolumeId> volumes;
    std::set<LayerId> successors;
    for (const CutMember& member : members) {
        if (!valid_id(member.successor.str()) || member.content.empty()) {
            return Error(Code::invalid_argument, "a cut names a successor and a content for each");
        }
        if (!volumes.insert(member.volume).second || !successors.insert(member.successor).second) {
            return Error(Code::invalid_argument, "a volume or layer is twice in the cut");
        }
    }
    return ok();
}

// What the part of one owner completes with; when all have, one of them completes the whole.
Done part_of(const std::shared_ptr<Meeting>& end, io::Scheduler& scheduler, Done whole) {
    return [end, &scheduler, whole = std::move(whole)](Status status) mutable {
        end->come(scheduler, std::move(status), [whole = std::move(whole)](Status all) mutable {
            if (whole) {
                whole(std::move(all));
            }
        });
    };
}

}  // namespace

template <class Work>
void OwnerGroup::everywhere(Work work, Done done) {
    const auto end = std::make_shared<Meeting>(seats_.size());
    for (const Seat& seat : seats_) {
        Done whole = &seat == &seats_.front() ? std::move(done) : Done();
        seat.scheduler.post([&owner = seat.owner, work,
                             part = part_of(end, seat.scheduler, std::move(whole))]() mutable {
            work(owner, std::move(part));
        });
    }
}

void OwnerGroup::cut(std::vector<CutMember> members, std::string set_id,
                     io::Callback<CutEnd> done) {
    if (Status fine = check_members(members, set_id); !fine) {
        first().scheduler.post([fine = std::move(fine), done = std::move(done)]() mutable {
            done(CutEnd{std::move(fine)});
        });
        return;
    }
    std::map<const Seat*, std::vector<CutMember>> parts;
    for (CutMember& member : members) {
        parts[&of(member.volume)].push_back(std::move(member));
    }
    const auto instant = std::make_shared<Meeting>(parts.size());
    const auto end = std::make_shared<Meeting>(parts.size());
    Done all_ended = [instant, done = std::move(done)](Status status) mutable {
        done(CutEnd{std::move(status), instant->agreed() == Cut::kMeetings});
    };
    bool leads = true;
    MutexLock lock(cuts_);
    for (auto& [seat, mine] : parts) {
        CutPart part{std::move(mine), set_id, instant, leads};
        Done whole = leads ? std::move(all_ended) : Done();
        leads = false;
        seat->scheduler.post([&owner = seat->owner, part = std::move(part),
                              ended = part_of(end, seat->scheduler, std::move(whole))]() mutable {
            owner.cut(std::move(part), std::move(ended));
        });
    }
}

void OwnerGroup::content_rooted(const ContentId& content, Done done) {
    everywhere([content](VolumeOwner& owner,
                         Done part) { owner.content_rooted(content, std::move(part)); },
               std::move(done));
}

void OwnerGroup::counters(io::Callback<Result<EngineCounters>> done) {
    // Each adds to it before it comes to the meeting.
    struct Sum {
        Mutex mutex;
        EngineCounters all GUARDED_BY(mutex);
    };
    const auto sum = std::make_shared<Sum>();
    everywhere(
        [sum](VolumeOwner& owner, Done part) {
            const EngineCounters mine = owner.counters();
            {
                MutexLock lock(sum->mutex);
                sum->all.layers_created += mine.layers_created;
                sum->all.layers_opened += mine.layers_opened;
                sum->all.chunk_reads += mine.chunk_reads;
                sum->all.packs_written += mine.packs_written;
                sum->all.cuts += mine.cuts;
            }
            part(ok());
        },
        [sum, done = std::move(done)](Status) mutable {
            MutexLock lock(sum->mutex);
            done(sum->all);
        });
}

void OwnerGroup::troubles(io::Callback<Result<std::vector<VolumeTrouble>>> done) {
    // Each adds to it before it comes to the meeting.
    struct All {
        Mutex mutex;
        std::vector<VolumeTrouble> list GUARDED_BY(mutex);
    };
    const auto all = std::make_shared<All>();
    everywhere(
        [all](VolumeOwner& owner, Done part) {
            {
                MutexLock lock(all->mutex);
                owner.add_troubles(all->list);
            }
            part(ok());
        },
        [all, done = std::move(done)](Status) mutable {
            MutexLock lock(all->mutex);
            std::ranges::sort(all->list, {}, &VolumeTrouble::volume);
            done(std::move(all->list));
        });
}

void OwnerGroup::close_all(io::Callback<> done) {
    everywhere(
        [](VolumeOwner& owner, Done part) {
            owner.close_all([part = std::move(part)]() mutable { part(ok()); });
        },
        [done = std::move(done)](Status) mutable { done(); });
}

}  // namespace kiln::block
