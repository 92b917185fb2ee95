// SPDX-License-Identifier: Apache-2.0
#include "net/backup_stream.h"

#include <algorithm>
#include <array>

#include "util/check.h"
#include "util/crc32c.h"
#include "util/strings.h"

namespace kiln::net {
namespace {

// Type, three zeros, u32 length of the payload, u64 value.
constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kCrcBytes = 4;
constexpr char kFile = 'F';
constexpr char kData = 'D';
constexpr char kEnd = 'E';
// A file of the largest volume; also keeps offsets far from wrapping.
constexpr std::uint64_t kMaxFileBytes = 1ULL << 50;
// The names are held to tell doubles. A pack has 64 MiB.
constexpr std::size_t kMaxFiles = 10'000'000;

bool is_plain_name(std::string_view name) {
    return !name.empty() && name.front() != '.' && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-' || c == '_';
    });
}

}  // namespace

bool is_backup_path(std::string_view path) {
    constexpr std::array<std::string_view, 3> kFiles = {"catalog.sqlite", "credentials", "config"};
    if (path.size() > kMaxBackupPath) {
        return false;
    }
    if (std::ranges::count(kFiles, path) != 0) {
        return true;
    }
    const auto parts = split(path, '/');
    const bool plain = std::ranges::all_of(parts, is_plain_name);
    return plain && ((parts.size() == 2 && (parts[0] == "layers" || parts[0] == "objects")) ||
                     (parts.size() == 3 && parts[0] == "instances"));
}

void BackupEncoder::record(char type, std::uint64_t value, ByteView payload, Bytes& out) {
    const std::size_t begin = out.size();
    ByteWriter writer(out);
    writer.le(static_cast<std::uint8_t>(type))
        .zeros(3)
        .le(static_cast<std::uint32_t>(payload.size()))
        .le(value)
        .bytes(payload);
    writer.le(crc32c(ByteView(out).subspan(begin)));
    hash_.update(ByteView(out).subspan(begin));
}

void BackupEncoder::begin(Bytes& out) {
    out.insert(out.end(), kBackupMagic.begin(), kBackupMagic.end());
    hash_.update(as_bytes(kBackupMagic));
}

void BackupEncoder::file(std::string_view path, std::uint64_t size_bytes, Bytes& out) {
    INVARIANT(is_backup_path(path));
    ++files_;
    record(kFile, size_bytes, as_bytes(path), out);
}

void BackupEncoder::data(std::uint64_t offset, ByteView bytes, Bytes& out) {
    INVARIANT(!bytes.empty() && bytes.size() <= kMaxBackupPiece);
    record(kData, offset, bytes, out);
}

void BackupEncoder::end(Bytes& out) {
    const crypto::Digest256 digest = hash_.finish();
    record(kEnd, files_, digest, out);
}

Error BackupDecoder::damaged(const std::string& why) const {
    return Error(Code::data_loss, "the backup is damaged: " + why + " at byte " +
                                      std::to_string(position_) + "; nothing of it can be used");
}

// How many bytes must be held before there is something to do.
std::size_t BackupDecoder::wanted() const {
    if (!magic_) {
        return kBackupMagic.size();
    }
    if (held_.size() < kHeaderBytes) {
        return kHeaderBytes;
    }
    return kHeaderBytes + get_le<std::uint32_t>(held_.data() + 4) + kCrcBytes;
}

Status BackupDecoder::feed(ByteView input, Sink& sink) {
    while (!input.empty()) {
        if (ended_) {
            return damaged("there are bytes after the end");
        }
        const std::size_t part = std::min(wanted() - held_.size(), input.size());
        held_.insert(held_.end(), input.begin(), input.begin() + static_cast<long>(part));
        input = input.subspan(part);
        if (!magic_ && held_.size() == kBackupMagic.size()) {
            if (as_text(held_) != kBackupMagic) {
                return Error(Code::invalid_argument, "this is not a backup of kiln");
            }
            magic_ = true;
            hash_.update(held_);
            position_ += held_.size();
            held_.clear();
        } else if (magic_ && held_.size() == kHeaderBytes &&
                   get_le<std::uint32_t>(held_.data() + 4) > kMaxBackupPiece) {
            return damaged("a record is too long");
        } else if (magic_ && held_.size() > kHeaderBytes && held_.size() == wanted()) {
            TRY(take(sink));
            position_ += held_.size();
            held_.clear();
        }
    }
    return ok();
}

Status BackupDecoder::take(Sink& sink) {
    const ByteView whole = held_;
    const ByteView sealed = whole.first(whole.size() - kCrcBytes);
    if (crc32c(sealed) != get_le<std::uint32_t>(whole.data() + sealed.size())) {
        return damaged("a check sum is wrong");
    }
    if (whole[1] != 0 || whole[2] != 0 || whole[3] != 0) {
        return damaged("a record is not understood");
    }
    const auto value = get_le<std::uint64_t>(whole.data() + 8);
    const ByteView payload = sealed.subspan(kHeaderBytes);
    const char type = static_cast<char>(whole[0]);
    if (type == kEnd) {
        return take_end(value, payload);
    }
    hash_.update(whole);
    if (type == kFile) {
        return take_file(sink, value, payload);
    }
    return type == kData ? take_data(sink, value, payload)
                         : Status(damaged("a record is not understood"));
}

Status BackupDecoder::take_file(Sink& sink, std::uint64_t size_bytes, ByteView payload) {
    const std::string path(as_text(payload));
    if (!is_backup_path(path)) {
        return damaged("a file has an impossible name");
    }
    if (size_bytes > kMaxFileBytes || paths_.size() >= kMaxFiles || !paths_.insert(path).second) {
        return damaged("the file " + path + " is there twice or too large");
    }
    file_bytes_ = size_bytes;
    next_ = 0;
    return sink.file(path, size_bytes);
}

Status BackupDecoder::take_data(Sink& sink, std::uint64_t offset, ByteView payload) {
    if (paths_.empty() || payload.empty() || offset < next_ || offset > file_bytes_ ||
        payload.size() > file_bytes_ - offset) {
        return damaged("data has an impossible place");
    }
    next_ = offset + payload.size();
    return sink.data(offset, payload);
}

Status BackupDecoder::take_end(std::uint64_t files, ByteView payload) {
    const crypto::Digest256 digest = hash_.finish();
    if (files != paths_.size() || !std::ranges::equal(digest, payload)) {
        return damaged("the check sum of the whole is wrong");
    }
    ended_ = true;
    return ok();
}

Status BackupDecoder::finish() const {
    return ended_ ? ok() : Status(damaged("it ends early"));
}

}  // namespace kiln::net
