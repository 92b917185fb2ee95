// SPDX-License-Identifier: Apache-2.0
// SimRemote: an object store far away, over a good one. When asked to, calls are refused without
// effect, have their effect and lose their answer, come late (also after the caller has given up,
// and then they still take effect), and a get may answer with fewer bytes than there are. Thread
// model: one owner thread.
#pragma once

#include "io/scheduler.h"
#include "io/sim_random.h"
#include "objects/object_store.h"

namespace kiln::block::sim {

// Of 1000 calls.
struct RemoteFaults {
    std::uint32_t refused = 0;
    std::uint32_t answer_lost = 0;  // of put and remove
    std::uint32_t late = 0;
    std::uint32_t cut_short = 0;  // of get
};

class SimRemote final : public objects::ObjectStore {
  public:
    SimRemote(objects::ObjectStore& below, io::Scheduler& scheduler, io::SimRandom& random)
        : below_(below), scheduler_(scheduler), random_(random) {}

    void set_faults(const RemoteFaults& faults) { faults_ = faults; }
    // Answers to get that were cut short so far.
    std::uint64_t short_answers() const { return short_answers_; }

    objects::CallPtr put(std::string name, objects::SharedBytes content,
                         objects::CallOptions options, io::Callback<Status> done) override;
    objects::CallPtr get(std::string name, std::uint64_t offset, std::uint64_t length,
                         objects::CallOptions options, io::Callback<Result<Bytes>> done) override;
    objects::CallPtr get_tail(std::string name, std::uint64_t length, objects::CallOptions options,
                              io::Callback<Result<objects::Tail>> done) override;
    objects::CallPtr remove(std::string name, objects::CallOptions options,
                            io::Callback<Status> done) override;
    void forget(const std::string& name) override { below_.forget(name); }

  private:
    using Done = io::Callback<Status>;
    // Runs `start` with what is to be told, sooner or later or never.
    template <class T, class Start>
    objects::CallPtr travel(objects::CallOptions options, io::Callback<Result<T>> done,
                            Start start);
    Done perhaps_lost(Done done);

    objects::ObjectStore& below_;
    io::Scheduler& scheduler_;
    io::SimRandom& random_;
    RemoteFaults faults_;
    std::uint64_t short_answers_ = 0;
};

}  // namespace kiln::block::sim
