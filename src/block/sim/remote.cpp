// SPDX-License-Identifier: Apache-2.0
#include "block/sim/remote.h"

namespace kiln::block::sim {
namespace {

// Nobody cancels calls of the image tier one by one.
class Travelling final : public objects::Call {
  public:
    void cancel() override {}
};

Error refused() {
    return Error(Code::unavailable, "the object store does not answer");
}

}  // namespace

template <class T, class Start>
objects::CallPtr SimRemote::travel(objects::CallOptions options, io::Callback<Result<T>> done,
                                   Start start) {
    auto call = std::make_shared<Travelling>();
    if (random_.per_mille(faults_.refused)) {
        scheduler_.post([done = std::move(done)]() mutable { done(refused()); });
        return call;
    }
    if (!random_.per_mille(faults_.late)) {
        start(std::move(done));
        return call;
    }
    // Mostly late, sometimes too late.
    const std::chrono::nanoseconds delay = random_.one_in(4)
                                               ? options.timeout + std::chrono::seconds(1)
                                               : std::chrono::milliseconds(random_.below(100));
    if (delay > options.timeout) {
        scheduler_.after(options.timeout, [done = std::move(done)]() mutable {
            done(Error(Code::deadline_exceeded, "the object store did not answer in time"));
        });
        done = [](Result<T>) {};
    }
    scheduler_.after(delay, [start = std::move(start), done = std::move(done)]() mutable {
        start(std::move(done));
    });
    return call;
}

SimRemote::Done SimRemote::perhaps_lost(Done done) {
    if (!random_.per_mille(faults_.answer_lost)) {
        return done;
    }
    return [done = std::move(done)](Status) mutable { done(refused()); };
}

objects::CallPtr SimRemote::put(std::string name, objects::SharedBytes content,
                                objects::CallOptions options, Done done) {
    return travel<void>(
        options, perhaps_lost(std::move(done)),
        [this, name = std::move(name), content = std::move(content), options](Done then) mutable {
            below_.put(std::move(name), std::move(content), options, std::move(then));
        });
}

objects::CallPtr SimRemote::get(std::string name, std::uint64_t offset, std::uint64_t length,
                                objects::CallOptions options, io::Callback<Result<Bytes>> done) {
    if (random_.per_mille(faults_.cut_short)) {
        const std::uint64_t keep = random_.below(length);
        done = [this, keep, done = std::move(done)](Result<Bytes> bytes) mutable {
            if (bytes && bytes->size() > keep) {
                bytes->resize(keep);
                ++short_answers_;
            }
            done(std::move(bytes));
        };
    }
    return travel<Bytes>(
        options, std::move(done),
        [this, name = std::move(name), offset, length, options](auto then) mutable {
            below_.get(std::move(name), offset, length, options, std::move(then));
        });
}

objects::CallPtr SimRemote::get_tail(std::string name, std::uint64_t length,
                                     objects::CallOptions options,
                                     io::Callback<Result<objects::Tail>> done) {
    return travel<objects::Tail>(
        options, std::move(done),
        [this, name = std::move(name), length, options](auto then) mutable {
            below_.get_tail(std::move(name), length, options, std::move(then));
        });
}

objects::CallPtr SimRemote::remove(std::string name, objects::CallOptions options, Done done) {
    return travel<void>(options, perhaps_lost(std::move(done)),
                        [this, name = std::move(name), options](Done then) mutable {
                            below_.remove(std::move(name), options, std::move(then));
                        });
}

}  // namespace kiln::block::sim
