// SPDX-License-Identifier: Apache-2.0
#include "net/backup_stream.h"

#include <doctest/doctest.h>

#include <map>

namespace kiln::net {
namespace {

struct Kept final : BackupDecoder::Sink {
    std::map<std::string, std::string> files{};
    std::string current{};

    Status file(const std::string& path, std::uint64_t size_bytes) override {
        current = path;
        files[path] = std::string(size_bytes, '\0');
        return ok();
    }
    Status data(std::uint64_t offset, ByteView bytes) override {
        files[current].replace(offset, bytes.size(), as_text(bytes));
        return ok();
    }
};

Bytes sample() {
    BackupEncoder encoder;
    Bytes out;
    encoder.begin(out);
    encoder.file("catalog.sqlite", 10, out);
    encoder.data(0, as_bytes("abc"), out);
    encoder.data(7, as_bytes("xyz"), out);
    encoder.file("layers/d-layer-1-0000.blk", 4, out);
    encoder.file("instances/i-1/serial.log", 2, out);
    encoder.data(0, as_bytes("ok"), out);
    encoder.end(out);
    return out;
}

Status decode(ByteView bytes, Kept& kept, std::size_t piece) {
    BackupDecoder decoder;
    while (!bytes.empty()) {
        const ByteView part = bytes.first(std::min(piece, bytes.size()));
        bytes = bytes.subspan(part.size());
        TRY(decoder.feed(part, kept));
    }
    return decoder.finish();
}

TEST_CASE("a backup gives its files back, in pieces of any length") {
    const Bytes bytes = sample();
    for (const std::size_t piece : {1U, 3U, 17U, 100000U}) {
        Kept kept;
        REQUIRE(decode(bytes, kept, piece));
        CHECK(kept.files.size() == 3);
        CHECK(kept.files["catalog.sqlite"] == std::string("abc\0\0\0\0xyz", 10));
        CHECK(kept.files["layers/d-layer-1-0000.blk"] == std::string(4, '\0'));
        CHECK(kept.files["instances/i-1/serial.log"] == "ok");
    }
}

TEST_CASE("every flipped bit and every missing byte of a backup is found") {
    const Bytes bytes = sample();
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            Bytes flipped = bytes;
            flipped[at] ^= static_cast<std::uint8_t>(1U << bit);
            Kept kept;
            CHECK_FALSE(decode(flipped, kept, 4096));
        }
        Kept kept;
        CHECK_FALSE(decode(ByteView(bytes).first(at), kept, 4096));
    }
    Bytes longer = bytes;
    longer.push_back(0);
    Kept kept;
    CHECK_FALSE(decode(longer, kept, 4096));
}

TEST_CASE("a record left out of a backup is found") {
    BackupEncoder encoder;
    Bytes out;
    encoder.begin(out);
    encoder.file("config", 8, out);
    const std::size_t before = out.size();
    encoder.data(0, as_bytes("abc"), out);
    const std::size_t after = out.size();
    encoder.end(out);
    out.erase(out.begin() + static_cast<long>(before), out.begin() + static_cast<long>(after));
    Kept kept;
    CHECK(decode(out, kept, 4096).error().code() == Code::data_loss);
}

TEST_CASE("what is no backup is refused as such") {
    Kept kept;
    CHECK(decode(as_bytes("QFI\xfb and so on, and on"), kept, 5).error().code() ==
          Code::invalid_argument);
    CHECK(decode({}, kept, 1).error().code() == Code::data_loss);
}

TEST_CASE("paths of a backup stay inside the directory") {
    for (const char* good : {"catalog.sqlite", "credentials", "config", "layers/d-layer-1.map",
                             "objects/pack-1", "instances/i-1/OVMF_VARS.fd"}) {
        CHECK(is_backup_path(good));
    }
    for (const char* bad : {"", "/etc/passwd", "lock", "layers", "layers/", "layers/..",
                            "layers/.hidden", "layers/a/b", "instances/i-1", "instances/../x",
                            "instances/i-1/../x", "objects/a b", "objects//a", "other/a"}) {
        CHECK_FALSE(is_backup_path(bad));
    }
    CHECK_FALSE(is_backup_path("objects/" + std::string(kMaxBackupPath, 'a')));
}

}  // namespace
}  // namespace kiln::net
