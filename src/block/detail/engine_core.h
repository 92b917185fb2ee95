// SPDX-License-Identifier: Apache-2.0
// EngineCore: one reactor of an engine and what lives on it: its volumes, and its way to the image
// tier. Thread model: made and destroyed by the engine while the reactor does not run; in between
// it belongs to the reactor's thread.
#pragma once

#include "block/detail/volume_owner.h"
#include "io/reactor.h"

namespace kiln::block {

class EngineCore {
  public:
    struct Tier {
        std::unique_ptr<objects::ObjectStore> objects;
        std::unique_ptr<ChunkIndex> index;
    };
    // What is the same for all cores. Outlives them.
    struct Common {
        EngineShared& shared;
        ContentStore& contents;
        ImageCache& cache;
        Executor& workers;
        io::Rng& rng;
        const EngineOptions& options;
        const ImageTier& images;
        ReadAheadLimits read_ahead;
    };
    EngineCore(const Common& common, std::size_t number, std::unique_ptr<io::Reactor> reactor,
               Tier tier)
        : reactor_(std::move(reactor)),
          tier_(std::move(tier)),
          worker_(reactor_->scheduler(), common.workers, common.images.worker_threads),
          images_{.objects = *tier_.objects,
                  .index = *tier_.index,
                  .worker = worker_,
                  .scheduler = reactor_->scheduler(),
                  .rng = common.rng,
                  .cache = common.cache,
                  .store_uuid = common.options.store_uuid},
          store_(images_),
          owner_(common.shared, number, reactor_->sockets(), common.contents,
                 LayerContext{.io = reactor_->io(),
                              .scheduler = reactor_->scheduler(),
                              .rng = common.rng,
                              .directory = common.options.directory,
                              .store_uuid = common.options.store_uuid,
                              .boot_id = common.options.boot_id,
                              .durable = common.options.durable,
                              .geometry = common.options.geometry,
                              .space = common.options.space},
                 ImageSide{store_, common.images.geometry, common.read_ahead}) {}

    io::Reactor& reactor() { return *reactor_; }
    ChunkStore& store() { return store_; }
    VolumeOwner& owner() { return owner_; }

  private:
    const std::unique_ptr<io::Reactor> reactor_;
    const Tier tier_;
    PoolWorker worker_;
    const ImageContext images_;
    ChunkStore store_;
    VolumeOwner owner_;
};

}  // namespace kiln::block
