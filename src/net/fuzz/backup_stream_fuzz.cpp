// SPDX-License-Identifier: Apache-2.0
// Fuzz target: hostile backups, as they are and with their check sums put right, in pieces whose
// lengths come from the input too. Whatever reaches the sink has a harmless path, is there once,
// lies inside its file and ascends.
#include <set>

#include "net/backup_stream.h"
#include "util/check.h"
#include "util/crc32c.h"
#include "util/testing/structured_fuzz.h"

namespace {

using namespace kiln;

class CheckingSink final : public net::BackupDecoder::Sink {
  public:
    Status file(const std::string& path, std::uint64_t size_bytes) override {
        INVARIANT(net::is_backup_path(path) && path.find("..") != 0 && path.front() != '/');
        INVARIANT(paths_.insert(path).second);
        size_ = size_bytes;
        next_ = 0;
        return ok();
    }
    Status data(std::uint64_t offset, ByteView bytes) override {
        INVARIANT(!paths_.empty() && offset >= next_ && offset <= size_ && !bytes.empty() &&
                  bytes.size() <= size_ - offset);
        next_ = offset + bytes.size();
        return ok();
    }

  private:
    std::set<std::string> paths_;
    std::uint64_t size_ = 0;
    std::uint64_t next_ = 0;
};

// Where the records are in an input: after the length of the pieces and the magic.
constexpr std::size_t kFirstRecord = 1 + net::kBackupMagic.size();
constexpr std::size_t kHeader = 16;

template <class Visit>
void each_record(ByteView input, Visit visit) {
    for (std::size_t at = kFirstRecord; at + kHeader + 4 <= input.size();) {
        const auto length = get_le<std::uint32_t>(&input[at + 4]);
        if (length > input.size() - at - kHeader - 4) {
            return;
        }
        visit(at, std::size_t{length});
        at += kHeader + length + 4;
    }
}

Bytes put_right(ByteView input) {
    Bytes bytes(input.begin(), input.end());
    each_record(input, [&](std::size_t at, std::size_t length) {
        if (bytes[at] == 'E' && length == 32) {
            const auto digest = crypto::sha256(ByteView(bytes).subspan(1, at - 1));
            std::ranges::copy(digest, bytes.begin() + static_cast<std::ptrdiff_t>(at + kHeader));
        }
        put_le(&bytes[at + kHeader + length],
               crc32c(ByteView(bytes).subspan(at, kHeader + length)));
    });
    return bytes;
}

testing::FuzzLayout layout(ByteView input) {
    testing::FuzzLayout found;
    each_record(input, [&](std::size_t at, std::size_t length) {
        testing::add_numbers(found, at, 1);
        testing::add_numbers(found, at + 4, 4);
        testing::add_numbers(found, at + 8, 8);
        found.parts.push_back({at, kHeader + length + 4});
    });
    return found;
}

void decode(ByteView input, std::size_t piece) {
    net::BackupDecoder decoder;
    CheckingSink sink;
    Status status = ok();
    while (status && !input.empty()) {
        const ByteView part = input.first(std::min(piece, input.size()));
        input = input.subspan(part.size());
        status = decoder.feed(part, sink);
    }
    if (status) {
        static_cast<void>(decoder.finish());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) {
        return 0;
    }
    const std::size_t piece = 1 + data[0] % 64;
    decode({data + 1, size - 1}, piece);
    decode(ByteView(put_right({data, size})).subspan(1), piece);
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
    return kiln::testing::mutate_structured(data, size, max_size, seed, layout);
}
