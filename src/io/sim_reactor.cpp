// SPDX-License-Identifier: Apache-2.0
#include "io/sim_reactor.h"

namespace kiln::io {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

class NoSockets final : public Sockets {
  public:
    explicit NoSockets(Scheduler& scheduler) : scheduler_(scheduler) {}
    Result<SocketId> listen_unix(const std::string&) override { return error(); }
    Result<SocketId> adopt(UniqueFd) override { return error(); }
    void accept(SocketId, Callback<Result<SocketId>> done) override {
        scheduler_.post([done = std::move(done)]() mutable { done(error()); });
    }
    void receive(SocketId, MutableByteView, Callback<Result<std::size_t>> done) override {
        scheduler_.post([done = std::move(done)]() mutable { done(error()); });
    }
    void send(SocketId, std::span<const ByteView>, Callback<Status> done) override {
        scheduler_.post([done = std::move(done)]() mutable { done(error()); });
    }
    void receive_with_descriptors(SocketId, MutableByteView,
                                  Callback<Result<Received>> done) override {
        scheduler_.post([done = std::move(done)]() mutable { done(error()); });
    }
    void send_with_descriptor(SocketId, std::span<const ByteView>, int,
                              Callback<Status> done) override {
        scheduler_.post([done = std::move(done)]() mutable { done(error()); });
    }
    Result<SocketId> adopt_event(UniqueFd) override { return error(); }
    void wait_event(SocketId, Callback<Status> done) override {
        scheduler_.post([done = std::move(done)]() mutable { done(error()); });
    }
    void signal_event(SocketId) override {}
    void close(SocketId) override {}

  private:
    static Error error() { return Error(Code::unsupported, "a simulation has no sockets"); }
    Scheduler& scheduler_;
};

}  // namespace

std::string describe(const Op& op) {
    static constexpr std::string_view kNames[] = {
        "open",     "close",    "read", "write",  "sync_data", "sync",     "punch",
        "allocate", "truncate", "size", "unlink", "rename",    "sync_dir", "list"};
    std::string text(kNames[static_cast<std::size_t>(op.kind)]);
    if (op.file.valid()) {
        text += " #" + std::to_string(op.file.value);
    }
    if (!op.path.empty()) {
        text += " " + op.path;
    }
    if (!op.new_path.empty()) {
        text += " to " + op.new_path;
    }
    if (op.length > 0) {
        text += " " + std::to_string(op.offset) + "+" + std::to_string(op.length);
    }
    return text;
}

SimReactor::SimReactor(SimMachine& machine)
    : machine_(machine), sockets_(std::make_unique<NoSockets>(*this)) {}

SimReactor::~SimReactor() {
    // As the other backends: what was submitted is done, uncalled.
    for (auto& [id, operation] : operations_) {
        if (!crashed_ && !operation.executed) {
            (void)machine_.disk.execute(operation.op, operation.submitted);
        }
    }
}

void SimReactor::submit(Op op, IoDone done) {
    const std::uint64_t id = next_id_++;
    Operation operation{.op = std::move(op), .done = std::move(done)};
    operation.submitted = machine_.disk.mark();
    if (operation.op.kind == OpKind::sync_data || operation.op.kind == OpKind::sync) {
        operation.path = machine_.disk.path_of(operation.op.file);
    }
    operations_.emplace(id, std::move(operation));
    schedule(latency(), {.id = id});
}

TimerId SimReactor::after(nanoseconds delay, Callback<> task) {
    const std::uint64_t id = next_id_++;
    timers_.emplace(id, std::move(task));
    schedule(delay, {.timer = true, .id = id});
    return TimerId{id};
}

void SimReactor::cancel(TimerId timer) {
    timers_.erase(timer.value);
}

void SimReactor::schedule(nanoseconds delay, Event event) {
    events_.emplace(Moment{machine_.clock.monotonic() + delay, next_id_++}, event);
}

// Mostly short, sometimes so long that hundreds of others overtake.
nanoseconds SimReactor::latency() {
    SimRandom& random = machine_.random;
    const std::uint64_t most = random.one_in(16) ? 20'000 : 200;
    return microseconds(random.between(1, most));
}

bool SimReactor::step() {
    running_ = true;
    // Tasks keep their order among themselves; how they mix with completions is chance. A loop that
    // has something to do takes no time worth mentioning, so no distant timer overtakes it.
    const auto soon = machine_.clock.monotonic() + std::chrono::milliseconds(20);
    const bool near = !events_.empty() && events_.begin()->first.first <= soon;
    if (!tasks_.empty() && !(near && machine_.random.one_in(4))) {
        Callback<> task = std::move(tasks_.front());
        tasks_.pop_front();
        task();
    } else if (!events_.empty()) {
        const auto first = events_.begin();
        const Event event = first->second;
        machine_.clock.advance_to(first->first.first);
        events_.erase(first);
        advance(event);
    } else {
        running_ = false;
        return false;
    }
    running_ = false;
    return true;
}

void SimReactor::advance(Event event) {
    ++event_count_;
    if (event.timer) {
        const auto found = timers_.find(event.id);
        if (found != timers_.end()) {
            Callback<> task = std::move(found->second);
            timers_.erase(found);
            task();
        }
        return;
    }
    const auto found = operations_.find(event.id);
    Operation& operation = found->second;
    if (!crashed_ && !operation.executed) {
        operation.executed = true;
        operation.result = machine_.disk.execute(operation.op, operation.submitted);
        if (machine_.trace) {
            machine_.trace("    disk: " + describe(operation.op) + " -> " +
                           (operation.result ? std::to_string(*operation.result)
                                             : operation.result.error().to_string()));
        }
        schedule(latency(), event);
        return;
    }
    Operation finished = std::move(operation);
    operations_.erase(found);
    finish(std::move(finished));
}

void SimReactor::finish(Operation operation) {
    if (crashed_ && operation.op.kind != OpKind::close) {
        operation.result = Error(Code::io_error, "the process has ended");
    } else if (!operation.path.empty() && !operation.result && machine_.sync_failed) {
        machine_.sync_failed(operation.path);
    }
    operation.done(std::move(operation.result));
}

void SimReactor::run() {
    while (!stopping_ && step()) {
    }
    stopping_ = false;
}

bool SimReactor::run_until(const std::function<bool()>& done, Deadline) {
    while (!done()) {
        if (!step()) {
            return false;
        }
    }
    return true;
}

void SimReactor::crash(Crash kind) {
    INVARIANT(!crashed_);
    // A sync that failed now would be told to nobody. The kernel tells such an error to whoever
    // syncs the file next.
    machine_.disk.set_faults({});
    std::vector<const Operation*> in_flight;
    for (auto& [id, operation] : operations_) {
        if (!operation.executed) {
            in_flight.push_back(&operation);
        }
    }
    while (!in_flight.empty()) {
        std::swap(in_flight[machine_.random.below(in_flight.size())], in_flight.back());
        cut(*in_flight.back());
        in_flight.pop_back();
    }
    crashed_ = true;
    machine_.disk.crash(kind);
    if (kind == Crash::power_loss) {
        machine_.boots += 1;
    }
}

void SimReactor::cut(const Operation& operation) {
    const Op& op = operation.op;
    const std::uint64_t fate = machine_.random.below(3);
    if (op.kind == OpKind::write && fate == 1) {
        machine_.disk.execute_part(
            op,
            machine_.random.below(op.length / SimDisk::kSectorBytes + 1) * SimDisk::kSectorBytes);
    } else if (op.kind != OpKind::read && fate == 0) {
        (void)machine_.disk.execute(op, operation.submitted);
    }
}

}  // namespace kiln::io
