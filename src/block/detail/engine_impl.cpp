// SPDX-License-Identifier: Apache-2.0
#include "block/detail/engine_impl.h"

namespace kiln::block {
namespace {

// Two volumes at their most are what the cache has room for (ImageCache).
ReadAheadLimits read_ahead_within(std::size_t cache_bytes) {
    ReadAheadLimits limits;
    limits.most_bytes = std::min<std::uint64_t>(limits.most_bytes, cache_bytes / 8);
    limits.first_bytes = std::min(limits.first_bytes, limits.most_bytes / 2);
    return limits;
}

}  // namespace

Engine::Impl::Impl(std::vector<Part> parts, ImageTier images, ContentStore& contents,
                   EngineOptions options, io::Clock& clock, io::Rng& rng)
    : options_(std::move(options)),
      images_(std::move(images)),
      clock_(clock),
      shared_(parts.size()),
      cache_(images_.cache_bytes),
      workers_("image-worker", images_.worker_threads, 2 * images_.worker_threads * parts.size()),
      cores_(make_cores(std::move(parts), contents, rng)),
      group_(shared_.directory, seats()) {
    if (options_.host_limits.operations.rate > 0 || options_.host_limits.bytes.rate > 0) {
        shared_.host_limit.emplace(options_.host_limits, clock_);
    }
    for (const auto& core : cores_) {
        threads_.emplace_back([&reactor = core->reactor()] { reactor.run(); });
    }
}

Engine::Impl::~Impl() {
    (void)call_group<void>(Deadline::never(), [](OwnerGroup& group, Done done) {
        group.close_all([done = std::move(done)]() mutable { done(ok()); });
    });
    for (const auto& core : cores_) {
        core->reactor().stop();
    }
    for (std::thread& thread : threads_) {
        thread.join();
    }
    workers_.stop();  // before what they work for
}

std::vector<std::unique_ptr<EngineCore>> Engine::Impl::make_cores(std::vector<Part> parts,
                                                                  ContentStore& contents,
                                                                  io::Rng& rng) {
    const EngineCore::Common common{.shared = shared_,
                                    .contents = contents,
                                    .cache = cache_,
                                    .workers = workers_,
                                    .rng = rng,
                                    .options = options_,
                                    .images = images_,
                                    .read_ahead = read_ahead_within(images_.cache_bytes)};
    std::vector<std::unique_ptr<EngineCore>> cores;
    for (Part& part : parts) {
        const std::size_t number = cores.size();
        cores.push_back(std::make_unique<EngineCore>(common, number, std::move(part.reactor),
                                                     std::move(part.tier)));
    }
    return cores;
}

void Engine::Impl::forget_pack(const PackId& pack) {
    for (std::size_t i = 1; i < cores_.size(); ++i) {
        const ImageContext& images = cores_[i]->store().context();
        images.scheduler.post(
            [&images, pack] { images.objects.forget(pack_name(images.store_uuid, pack)); });
    }
}

std::vector<OwnerGroup::Seat> Engine::Impl::seats() {
    std::vector<Seat> all;
    for (const auto& core : cores_) {
        all.push_back({core->owner(), core->reactor().scheduler()});
    }
    return all;
}

}  // namespace kiln::block
