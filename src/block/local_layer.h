// SPDX-License-Identifier: Apache-2.0
// LocalLayer: a layer in local files (docs/formats/layer.md). Data goes to sparse shards in place;
// what changes from absent or zero to data, and back to zero, goes through the journal.
//
// I1  a SET record is written after its data write completed; FLUSHED after the data fdatasync, so
// a durable bit has durable data I2  a change is acknowledged when its record and all earlier ones
// are written I3  nothing under a set bit of a sealed layer changes Thread model: one owner thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "block/detail/journal.h"
#include "block/detail/layer_files.h"
#include "block/detail/replay.h"
#include "block/detail/shards.h"

namespace kiln::block {

struct LayerOpen {
    LayerId layer;
    VolumeId volume;  // checked when opened for writing; written by a creation
    std::uint64_t size_bytes = 0;
    bool writable = false;
    bool create = false;  // when it does not exist
};

// Opens (or creates) and replays. not_found; failed_precondition for a sealed layer opened for
// writing or an unsealed one opened for reading; data_loss. The context outlives the layer.
void open_local_layer(const LayerContext& context, LayerOpen open,
                      io::Callback<Result<std::shared_ptr<Layer>>> done);

class LocalLayer final : public Layer {
  public:
    struct Parts {
        LayerId id;
        bool writable = false;
        Superblock superblock;
        io::FileId map;
        io::FileId journal;
        std::uint64_t journal_file_bytes = 0;
        Replayed state;
    };
    LocalLayer(const LayerContext& context, Parts parts);
    ~LocalLayer() override;

    std::uint64_t blocks() const override { return presence_.blocks(); }
    BlockRun presence(std::uint64_t first, std::uint64_t limit) const override {
        return presence_.run(first, limit);
    }
    std::uint64_t version() const override { return version_; }
    void read(BlockRange range, MutableByteView into, Done done) override;
    void write(BlockRange range, ByteView from, Done done) override;
    void zero(BlockRange range, Done done) override;
    void flush(std::uint64_t through, Done done) override;
    void seal(Freeze freeze, Done done) override;
    void close(Done done) override;
    void drop(Done done) override;

    // For the opener: the host restarted, say so in the journal before anything else is written.
    void append_boot(Done done);

  private:
    void fail_later(Done done, Error error);
    bool refuse(Done& done, bool change);
    // One part of a read or write inside one shard.
    void transfer(bool write, const ShardSet::Part& part, std::uint8_t* data, Done done);
    void transfer_all(bool write, BlockRange range, std::uint8_t* data, Done done);
    void data_written(BlockRange range, Status status, Done done);
    void changed(Done done, Status status);
    void punch(const std::vector<BlockRange>& ranges, Done done);

    void start_flush();
    void flush_data_done(std::uint64_t version, std::uint64_t through_seq, std::uint64_t rollbacks,
                         Status status);
    void flush_record(std::uint64_t version, std::uint64_t through_seq);
    void sync_journal(std::uint64_t version, std::uint64_t through_seq);
    void finish_flush(std::uint64_t version, Status status);
    void fatal(const Error& error);
    void write_superblock(std::uint64_t floor_seq, Done done);
    void close_files(Done done);

    struct FlushWaiter {
        std::uint64_t through;
        Done done;
    };

    const LayerContext& context_;
    const LayerId id_;
    const bool writable_;
    Superblock superblock_;
    const io::FileId map_;
    const io::FileId journal_file_;
    PresenceMap presence_;
    Journal journal_;
    ShardSet shards_;
    bool sealed_;
    bool closed_ = false;
    // Versions count completed changes; what was there at open counts as one change that is not
    // durable.
    std::uint64_t version_ = 1;
    std::uint64_t durable_version_ = 0;
    std::uint64_t through_seq_;  // of the last FLUSHED
    bool flushing_ = false;
    std::vector<FlushWaiter> flush_waiters_;
    std::vector<FlushWaiter> flushing_waiters_;
    std::optional<Error> failed_;
};

}  // namespace kiln::block
