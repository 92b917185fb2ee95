// SPDX-License-Identifier: Apache-2.0
#include "block/image/stored_chunks.h"

namespace kiln::block {
namespace {

class StoredRead : public std::enable_shared_from_this<StoredRead> {
  public:
    StoredRead(const ImageContext& context, const DomainId& domain, std::vector<ChunkId> ids,
               EntryType type, io::Callback<std::vector<StoredChunk>> done)
        : context_(context),
          domain_(domain),
          ids_(std::move(ids)),
          type_(type),
          done_(std::move(done)),
          found_(ids_.size()),
          missing_(ids_.size()) {}

    void start() {
        if (ids_.empty()) {
            context_.scheduler.post([self = shared_from_this()] { self->done_({}); });
            return;
        }
        std::vector<ChunkId> asked = ids_;
        context_.index.lookup(domain_, std::move(asked), LookupFor::reading,
                              [self = shared_from_this()](Result<Located> at) {
                                  for (std::size_t i = 0; i < self->ids_.size(); ++i) {
                                      if (at) {
                                          self->located(i, (*at)[i], 1);
                                      } else {
                                          self->end(i, at.error());
                                      }
                                  }
                              });
    }

  private:
    void located(std::size_t i, const std::optional<ChunkLocation>& at, unsigned attempt) {
        found_[i].at = at;
        if (!at) {
            end(i, Error(Code::data_loss, "no pack holds it"));
            return;
        }
        const PackEntry& entry = at->entry;
        if (entry.type != type_ || entry.id != ids_[i] || entry.plain_bytes > kMaxPlainBytes ||
            entry.stored_bytes > kMaxPlainBytes) {
            end(i, Error(Code::data_loss, "the index is wrong about it"));
            return;
        }
        context_.objects.get(pack_name(context_.store_uuid, at->pack), entry.offset,
                             entry_bytes(entry), {.timeout = kObjectTimeout},
                             [self = shared_from_this(), i, attempt](Result<Bytes> stored) {
                                 self->got(i, attempt, std::move(stored));
                             });
    }

    void got(std::size_t i, unsigned attempt, Result<Bytes> stored) {
        if (stored) {
            open(i, *std::move(stored));
        } else if (stored.error().code() == Code::not_found && attempt < kMaxLocateAttempts) {
            locate_again(i, attempt);
        } else if (stored.error().code() == Code::not_found) {
            end(i, Error(Code::data_loss, "its pack is missing"));
        } else {
            end(i, std::move(stored.error()));
        }
    }

    // If the index still names the same pack, its absence is no answer but damage.
    void locate_again(std::size_t i, unsigned attempt) {
        context_.index.lookup(
            domain_, {ids_[i]}, LookupFor::reading,
            [self = shared_from_this(), i, attempt](Result<Located> again) {
                StoredChunk& chunk = self->found_[i];
                if (!again) {
                    self->end(i, std::move(again.error()));
                } else if (again->front() && again->front()->pack == chunk.at->pack) {
                    self->end(i, Error(Code::data_loss, "its pack is missing"));
                } else {
                    self->located(i, again->front(), attempt + 1);
                }
            });
    }

    void open(std::size_t i, Bytes stored) {
        struct Job {
            Bytes stored;
            PackEntry entry;
            Result<Bytes> plain = Bytes();
        };
        auto job = std::make_shared<Job>(Job{std::move(stored), found_[i].at->entry});
        context_.worker.run(
            [job] { job->plain = open_entry(job->entry, job->stored); },
            [self = shared_from_this(), i, job] { self->end(i, std::move(job->plain)); });
    }

    void end(std::size_t i, Result<Bytes> plain) {
        found_[i].plain = std::move(plain);
        if (--missing_ == 0) {
            done_(std::move(found_));
        }
    }

    const ImageContext& context_;
    const DomainId domain_;
    const std::vector<ChunkId> ids_;
    const EntryType type_;
    io::Callback<std::vector<StoredChunk>> done_;
    std::vector<StoredChunk> found_;
    std::size_t missing_;
};

}  // namespace

void read_stored(const ImageContext& context, const DomainId& domain, std::vector<ChunkId> ids,
                 EntryType type, io::Callback<std::vector<StoredChunk>> done) {
    std::make_shared<StoredRead>(context, domain, std::move(ids), type, std::move(done))->start();
}

}  // namespace kiln::block
