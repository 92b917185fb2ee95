// SPDX-License-Identifier: Apache-2.0
// LocalLayer: a layer in local files (docs/formats/layer.md). Data goes to sparse shards in place;
// what changes from absent or zero to data, and back to zero, goes through the journal, and from
// there, by checkpoints in the background, to pages in the map.
//
//   I1  a SET record is written after its data write completed; FLUSHED, and a checkpoint of it,
//       after the data fdatasync, so a durable bit has durable data; LOGGED has the data itself,
//       and what it has stays in the journal until the data files have it
//   I2  a change is acknowledged when its record and all earlier ones are written
//   I3  nothing under a set bit of a sealed layer changes
//   I4  room in the journal is used again only after the superblock that no longer needs it is
//       durable
//   I5  the superblock of a sealed layer is written once more at most, when its data gets check
//       sums, and not by this class; from then on a read gives the bytes that were summed, or an
//       error
//
// A change for which the journal has no room waits for the checkpoint. A write that needs new
// blocks takes their space from the reserve's owner first, or is out_of_space and changes nothing;
// overwrites, zeroes and all that is not data are never refused. Thread model: one owner thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "block/detail/data_crcs.h"
#include "block/detail/journal.h"
#include "block/detail/map_file.h"
#include "block/detail/replay.h"
#include "block/detail/retained_writes.h"
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
        MapTables tables;
        io::FileId journal;
        std::uint64_t ring_bytes = 0;
        Replayed state;
        std::unique_ptr<DataCrcs> crcs;  // of a sealed layer that has them
    };
    LocalLayer(const LayerContext& context, Parts parts);
    ~LocalLayer() override;

    std::uint64_t blocks() const override { return presence_.blocks(); }
    BlockRun presence(std::uint64_t first, std::uint64_t limit) const override {
        return presence_.run(first, limit);
    }
    std::uint64_t version() const override { return version_; }
    bool failed() const override { return failed_.has_value(); }
    void read(BlockRange range, MutableByteView into, Done done) override;
    void write(BlockRange range, ByteView from, Done done) override;
    void zero(BlockRange range, Done done) override;
    void flush(std::uint64_t through, Done done) override;
    void extend(std::uint64_t blocks, Done done) override;
    void seal(Freeze freeze, Done done) override;
    void check_reads() override;
    void close(Done done) override;
    void drop(Done done) override;

    // For the opener: the host restarted, say so in the journal before anything else is written.
    void append_boot(Done done);
    // For the opener, at its end: a journal that is half full is worth a checkpoint now.
    void maybe_checkpoint();

  private:
    // A checkpoint is wanted, then begins as a flush, then writes pages and superblock, then CKPT.
    enum class Checkpoint { none, wanted, flushing, writing };

    void fail_later(Done done, Error error);
    bool refuse(Done& done, bool change);
    // One part of a read or write inside one shard.
    void transfer(bool write, const ShardSet::Part& part, std::uint8_t* data, Done done);
    void transfer_all(bool write, BlockRange range, std::uint8_t* data, Done done);
    void read_checked(BlockRange range, MutableByteView into, Done done);
    Status compare(BlockRange range, ByteView bytes, std::span<const DataCrcs::PageRef> pages);
    Status told(Status status);
    // False when the range needs new blocks and there is no space for them.
    bool take_space(BlockRange range);
    void data_written(BlockRange range, const std::optional<Bytes>& copy, Status status, Done done);
    void changed(Done done, Status status);
    void punch(const std::vector<BlockRange>& ranges, Done done);

    void start_flush();
    bool may_log() const;
    bool room_to_log();
    void log_data(std::uint64_t version, std::uint64_t through_seq);
    // As flush(), and the data files have it all.
    void flush_in_place(Done done);
    void flush_data_done(std::uint64_t version, std::uint64_t through_seq, Status status);
    void flush_record(std::uint64_t version, std::uint64_t through_seq);
    void sync_journal(std::uint64_t version, std::uint64_t through_seq);
    void finish_flush(std::uint64_t version, Status status);
    void fatal(const Error& error);

    // local_layer_checkpoint.cpp
    std::uint64_t checkpoint_at() const;
    bool replay_is_long() const;
    void start_checkpoint(bool grow, Done done);
    void begin_checkpoint_later();
    void checkpoint_flushed(Status status);
    bool may_grow() const;
    void grow_ring();
    void fill_ring(std::uint64_t from, std::uint64_t to);
    void put_larger_in_force(std::uint64_t to);
    void put_in_force(std::uint64_t ring_bytes);
    void checkpoint_in_force(std::uint64_t ring_bytes, Status status);
    void finish_checkpoint(Status status);
    void extend_quiet(std::uint64_t blocks, Done done);
    // Runs `then` when no checkpoint is under way.
    void when_quiet(io::Callback<> then);

    // local_layer_end.cpp
    void freeze(Freeze evidence, Done done);
    void give_back_ring(Done done);
    void write_floor(Done done);
    void close_files(Done done);

    struct FlushWaiter {
        std::uint64_t through;
        Done done;
    };

    const LayerContext& context_;
    const LayerId id_;
    const bool writable_;
    MapFile map_;
    const io::FileId journal_file_;
    PresenceMap presence_;
    Journal journal_;
    ShardSet shards_;
    std::unique_ptr<DataCrcs> crcs_;  // none: reads are as the device gives them
    bool mismatch_told_ = false;
    bool sealed_;
    bool closed_ = false;
    // Versions count completed changes; what was there at open counts as one change that is not
    // durable.
    std::uint64_t version_ = 1;
    std::uint64_t durable_version_ = 0;
    std::uint64_t through_seq_;  // of the last FLUSHED
    bool flushing_ = false;
    RetainedWrites retained_;
    bool data_logged_ = false;      // the journal has data that is perhaps not durable in its place
    bool in_place_wanted_ = false;  // by the next flush
    bool log_full_ = false;         // a flush found no room for its data
    bool ending_ = false;           // seal, close or drop take the checkpoints they want
    std::vector<FlushWaiter> flush_waiters_;
    std::vector<FlushWaiter> flushing_waiters_;
    Checkpoint checkpoint_ = Checkpoint::none;
    bool grow_ = false;               // the checkpoint may enlarge the ring
    bool grow_for_data_ = false;      // since flushes with data fill it
    std::uint64_t filled_ring_ = 0;   // the file has zeros up to there, for a larger ring
    std::optional<Error> not_grown_;  // why it could not
    JournalPosition covered_;         // the checkpoint covers the records before
    bool device_full_ = false;        // the last checkpoint found it so
    Done checkpoint_done_;
    std::vector<io::Callback<>> quiet_waiters_;
    std::optional<Error> failed_;
};

}  // namespace kiln::block
