// SPDX-License-Identifier: Apache-2.0
// Engine::Impl: the cores of an engine, their threads, and how a blocking call reaches one of them.
// Thread-safe but for its making and its end.
#pragma once

#include <algorithm>
#include <thread>

#include "block/detail/answer.h"
#include "block/detail/engine_core.h"
#include "block/detail/owner_group.h"

namespace kiln::block {

class Engine::Impl {
  public:
    using Seat = OwnerGroup::Seat;
    struct Part {
        std::unique_ptr<io::Reactor> reactor;
        EngineCore::Tier tier;
    };
    Impl(std::vector<Part> parts, ImageTier images, ContentStore& contents, EngineOptions options,
         io::Clock& clock, io::Rng& rng);
    ~Impl();

    // Runs `work(done)` on the thread of that owner.
    template <class T, class Work>
    std::shared_ptr<Answer<T>> start(const Seat& seat, Work work) {
        INVARIANT_MSG(!on_an_owner_thread(), "a blocking call from a completion");
        const auto answer = std::make_shared<Answer<T>>();
        seat.scheduler.post([answer, &owner = seat.owner, work = std::move(work)]() mutable {
            work(owner, io::Callback<Result<T>>(
                            [answer](Result<T> result) { answer->give(std::move(result)); }));
        });
        return answer;
    }
    // The same, waiting for `done`.
    template <class T, class Work>
    Result<T> call(const Seat& seat, Deadline deadline, Work work) {
        return start<T>(seat, std::move(work))->take(deadline);
    }
    // With the owner of a volume that is open.
    template <class T, class Work>
    Result<T> call_of(const VolumeId& id, Deadline deadline, Work work) {
        return call<T>(group_.of(id), deadline, std::move(work));
    }
    // With the owner that does what belongs to no volume.
    template <class T, class Work>
    std::shared_ptr<Answer<T>> start_first(Work work) {
        return start<T>(group_.first(), std::move(work));
    }
    template <class T, class Work>
    Result<T> call_first(Deadline deadline, Work work) {
        return start_first<T>(std::move(work))->take(deadline);
    }
    // The same, with its way to the image tier.
    template <class T, class Work>
    std::shared_ptr<Answer<T>> start_store(Work work) {
        return start_first<T>(
            [&store = cores_.front()->store(), work = std::move(work)](
                VolumeOwner&, auto done) mutable { work(store, std::move(done)); });
    }
    template <class T, class Work>
    Result<T> call_store(Deadline deadline, Work work) {
        return start_store<T>(std::move(work))->take(deadline);
    }
    // What several owners take part in.
    template <class T, class Work>
    Result<T> call_group(Deadline deadline, Work work) {
        INVARIANT_MSG(!on_an_owner_thread(), "a blocking call from a completion");
        const auto answer = std::make_shared<Answer<T>>();
        work(group_, io::Callback<Result<T>>(
                         [answer](Result<T> result) { answer->give(std::move(result)); }));
        return answer->take(deadline);
    }
    // With an open volume.
    template <class Work>
    Status with_volume(const VolumeId& id, Deadline deadline, Work work) {
        return call_of<void>(id, deadline,
                             [id, work = std::move(work)](VolumeOwner& owner, Done done) mutable {
                                 const auto volume = owner.find(id);
                                 if (!volume) {
                                     done(volume.error());
                                     return;
                                 }
                                 work(**volume, std::move(done));
                             });
    }

    // It is removed: what the others read it with is closed, soon.
    void forget_pack(const PackId& pack);

    OwnerGroup& group() { return group_; }
    const ImageCache& cache() const { return cache_; }
    io::Clock& clock() { return clock_; }
    std::string backend_name() { return std::string(cores_.front()->reactor().backend_name()); }

  private:
    std::vector<std::unique_ptr<EngineCore>> make_cores(std::vector<Part> parts,
                                                        ContentStore& contents, io::Rng& rng);
    std::vector<Seat> seats();
    bool on_an_owner_thread() {
        return std::ranges::any_of(
            cores_, [](const auto& core) { return core->reactor().on_owner_thread(); });
    }

    const EngineOptions options_;
    const ImageTier images_;
    io::Clock& clock_;
    EngineShared shared_;
    ImageCache cache_;
    Executor workers_;
    std::vector<std::unique_ptr<EngineCore>> cores_;
    OwnerGroup group_;
    std::vector<std::thread> threads_;
};

}  // namespace kiln::block
