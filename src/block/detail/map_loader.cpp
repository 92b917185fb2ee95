// SPDX-License-Identifier: Apache-2.0
// load_map: the root table, then the directories it names, then their pages, a bounded number at a
// time. Thread model: one owner thread.
#include <deque>

#include "block/detail/join.h"
#include "block/detail/map_file.h"
#include "block/limits.h"
#include "io/buffer.h"

namespace kiln::block {
namespace {

class MapLoader : public std::enable_shared_from_this<MapLoader> {
  public:
    MapLoader(io::Io& io, io::FileId file, const Superblock& superblock,
              io::Callback<Result<LoadedMap>> done)
        : io_(io),
          file_(file),
          superblock_(superblock),
          layout_(superblock),
          map_{
              .tables = {},
              .presence = PresenceMap(superblock.size_bytes / kBlockBytes, superblock.page_blocks)},
          done_(std::move(done)) {
        queue_.push_back({{MapPart::root, 0}, superblock.root, {}});
    }

    void read_batch() {
        if (queue_.empty()) {
            done_(std::move(map_));
            return;
        }
        auto join = Join::create([self = shared_from_this()](Status read) {
            if (read) {
                read = self->decode_batch();
            }
            if (read) {
                self->read_batch();
            } else {
                self->done_(std::move(read.error()));
            }
        });
        while (!queue_.empty() && batch_.size() < kMapBatch) {
            Read next = std::move(queue_.front());
            queue_.pop_front();
            next.slot = io::Buffer(layout_.slot_bytes(next.item.part));
            io_.submit(
                io::Op::read(file_, layout_.offset(next.item, next.entry.slot),
                             next.slot.mutable_view()),
                [done = join->arm(), bytes = next.slot.size()](Result<std::uint64_t> got) mutable {
                    if (got && *got != bytes) {
                        got = Error(Code::data_loss, "the map file ends early");
                    }
                    done(got ? ok() : Status(std::move(got.error())));
                });
            batch_.push_back(std::move(next));
        }
        join->ready();
    }

  private:
    struct Read {
        MapItem item;
        MapEntry entry;
        io::Buffer slot;
    };

    Status decode_batch() {
        const std::vector<Read> batch = std::move(batch_);
        batch_.clear();
        for (const Read& read : batch) {
            TRY(check_slot(read.item, read.entry, read.slot.view()));
            if (read.item.part == MapPart::page) {
                TRY(map_.presence.load(read.item.number, read.slot.view()));
            } else {
                TRY(decode_table(read));
            }
        }
        return ok();
    }

    Status decode_table(const Read& read) {
        TRY_ASSIGN(auto entries,
                   get_entries(read.slot.view(), layout_.entries(read.item), read.entry.gen));
        const bool root = read.item.part == MapPart::root;
        const std::uint64_t first =
            root ? 0 : layout_.first_page({MapPart::directory, read.item.number});
        for (std::size_t i = 0; i < entries.size(); ++i) {
            if (entries[i].exists()) {
                const MapPart below = root ? MapPart::directory : MapPart::page;
                queue_.push_back({{below, first + i}, entries[i], {}});
            }
        }
        if (!root) {
            map_.tables.directories[read.item.number] = {read.entry, std::move(entries)};
        }
        return ok();
    }

    io::Io& io_;
    const io::FileId file_;
    const Superblock superblock_;
    const MapLayout layout_;
    LoadedMap map_;
    io::Callback<Result<LoadedMap>> done_;
    std::deque<Read> queue_;
    std::vector<Read> batch_;
};

}  // namespace

void load_map(io::Io& io, io::Scheduler& scheduler, io::FileId file, const Superblock& superblock,
              io::Callback<Result<LoadedMap>> done) {
    if (!superblock.root.exists()) {
        scheduler.post([done = std::move(done), blocks = superblock.size_bytes / kBlockBytes,
                        page_blocks = superblock.page_blocks]() mutable {
            done(LoadedMap{.tables = {}, .presence = PresenceMap(blocks, page_blocks)});
        });
        return;
    }
    std::make_shared<MapLoader>(io, file, superblock, std::move(done))->read_batch();
}

}  // namespace kiln::block
