// SPDX-License-Identifier: Apache-2.0
// Fuzz target: hostile backups, in pieces whose lengths come from the input too. Whatever reaches
// the sink has a harmless path, is there once, lies inside its file and ascends.
#include <set>

#include "net/backup_stream.h"
#include "util/check.h"

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) {
        return 0;
    }
    const std::size_t piece = 1 + data[0] % 64;
    ByteView input(data + 1, size - 1);
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
    return 0;
}
