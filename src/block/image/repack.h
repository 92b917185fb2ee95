// SPDX-License-Identifier: Apache-2.0
// Repack: copies entries of packs into new packs, as they are stored, one pack after the other.
// Each entry is decoded and compared with its id before it is copied; a pack with one that is bad,
// or that cannot be read, is left alone and told. What is copied lies in the old and in the new
// pack: nothing is taken away here, and to whoever reads or deduplicates meanwhile both are good.
//
// `emptied` are the packs whose entries are all durable and indexed elsewhere. After an error there
// may be new packs that nobody needs; garbage collection takes them. Completes exactly once, never
// inside start(), when nothing is in flight any more. Memory: the pack that is read, those being
// written, and an open one of each kind. Thread model: one owner thread.
#pragma once

#include <map>

#include "block/image/pack_sink.h"

namespace kiln::block {

struct RepackPiece {
    PackId pack;
    std::vector<std::uint32_t> entries;  // where they begin in it; ascending
};

struct Repacked {
    std::vector<PackId> emptied;
    std::vector<PackId> written;
    // Packs that stay as they are, and why.
    std::vector<std::pair<PackId, Error>> damaged;
    std::uint64_t entries = 0;  // copied
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
};

class Repack : public std::enable_shared_from_this<Repack> {
  public:
    static std::shared_ptr<Repack> start(const ImageContext& context, std::uint64_t epoch,
                                         std::vector<RepackPiece> pieces,
                                         io::Callback<Result<Repacked>> done);
    // Completes with `cancelled` after what is in flight.
    void cancel();

  private:
    struct Read;
    Repack(const ImageContext& context, std::uint64_t epoch, std::vector<RepackPiece> pieces,
           io::Callback<Result<Repacked>> done);
    void next();
    void got(Result<Bytes> bytes);
    void checked(const std::shared_ptr<Read>& read);
    void leave(Error why);
    std::shared_ptr<PackSink> sink(const PackHeader& header);
    void note(Status status);
    void finish();
    void drain();

    const ImageContext& context_;
    const std::uint64_t epoch_;
    const std::vector<RepackPiece> pieces_;
    io::Callback<Result<Repacked>> done_;
    Status status_ = ok();
    std::size_t at_ = 0;
    Repacked repacked_;
    std::map<std::pair<PackKind, DomainId>, std::shared_ptr<PackSink>> sinks_;
};

}  // namespace kiln::block
