// SPDX-License-Identifier: Apache-2.0
// Backup streams (docs/formats/backup.md): the files of a data directory, holes left out, with a
// check sum in every record and one over the whole. The decoder takes outside bytes in pieces of
// any length and holds at most one record.
//
// Errors: data_loss for bytes that are not what was written; invalid_argument for what no backup
// begins with. What reached the sink before an error is not to be believed. Thread model: one owner
// thread each.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "crypto/hash.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::net {

inline constexpr std::string_view kBackupMagic = "KILNBAK1";
inline constexpr std::uint32_t kMaxBackupPiece = 1U << 20;
inline constexpr std::size_t kMaxBackupPath = 255;

// A name that may stand in a backup: catalog.sqlite, credentials, config, or a file below layers/,
// objects/ or instances/ID/; of letters, digits, '.', '-' and '_', no part beginning with a dot.
bool is_backup_path(std::string_view path);

class BackupEncoder {
  public:
    // Each appends to `out`.
    void begin(Bytes& out);
    // A file of that size, zeros but for the data that follows.
    void file(std::string_view path, std::uint64_t size_bytes, Bytes& out);
    // Of the last file; offsets ascend; at most kMaxBackupPiece bytes.
    void data(std::uint64_t offset, ByteView bytes, Bytes& out);
    void end(Bytes& out);

  private:
    void record(char type, std::uint64_t value, ByteView payload, Bytes& out);
    crypto::Sha256 hash_;
    std::uint64_t files_ = 0;
};

class BackupDecoder {
  public:
    class Sink {
      public:
        virtual ~Sink() = default;
        // Each path once.
        virtual Status file(const std::string& path, std::uint64_t size_bytes) = 0;
        // Within the last file, ascending.
        virtual Status data(std::uint64_t offset, ByteView bytes) = 0;
    };

    Status feed(ByteView input, Sink& sink);
    // After the last input: whether all of it came.
    Status finish() const;
    std::uint64_t files() const { return paths_.size(); }

  private:
    std::size_t wanted() const;
    Status take(Sink& sink);
    Status take_file(Sink& sink, std::uint64_t size_bytes, ByteView payload);
    Status take_data(Sink& sink, std::uint64_t offset, ByteView payload);
    Status take_end(std::uint64_t files, ByteView payload);
    Error damaged(const std::string& why) const;

    Bytes held_;  // the part of a record that has come
    bool magic_ = false;
    bool ended_ = false;
    std::uint64_t position_ = 0;
    std::set<std::string> paths_;
    std::uint64_t file_bytes_ = 0;
    std::uint64_t next_ = 0;  // offset after the last data
    crypto::Sha256 hash_;
};

}  // namespace kiln::net
