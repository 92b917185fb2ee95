// SPDX-License-Identifier: Apache-2.0
#include "block/image/codec.h"

#include <lz4.h>
#include <zstd.h>

#include "util/check.h"

namespace kiln::block {
namespace {

struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using ZstdContext = std::unique_ptr<ZSTD_CCtx, FreeContext>;

// Level 1, but for a table of 16 KiB, not of 32: half of a first level cache, so that it stays
// there beside the block. On blocks of 64 KiB of programs that takes a tenth less time and 1 % more
// room.
ZstdContext zstd_context() {
    ZstdContext context(ZSTD_createCCtx());
    INVARIANT_MSG(context != nullptr, "no memory for zstd");
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, 1);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_hashLog, 12);
    return context;
}

// Larger than a chunk and its plain bytes together, so each thread keeps its own.
ZSTD_DCtx* decoding_context() {
    thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
    INVARIANT_MSG(context != nullptr, "no memory for zstd");
    return context.get();
}

}  // namespace

struct Encoder::Context {
    ZstdContext zstd;
};

Encoder::Encoder() : context_(std::make_unique<Context>()) {}
Encoder::~Encoder() = default;

Encoded Encoder::encode(Codec wanted, ByteView plain) {
    // Compressed bytes that do not fit here would be thrown away anyway.
    const std::size_t room = plain.size() - plain.size() / 16;
    if (out_.size() < room) {
        out_.resize(room);
    }
    std::size_t length = 0;
    switch (wanted) {
        case Codec::none:
            break;
        case Codec::lz4:
            length = static_cast<std::size_t>(LZ4_compress_default(
                reinterpret_cast<const char*>(plain.data()), reinterpret_cast<char*>(out_.data()),
                static_cast<int>(plain.size()), static_cast<int>(room)));
            break;
        case Codec::zstd: {
            if (!context_->zstd) {
                context_->zstd = zstd_context();
            }
            const std::size_t result =
                ZSTD_compress2(context_->zstd.get(), out_.data(), room, plain.data(), plain.size());
            length = ZSTD_isError(result) != 0 ? 0 : result;
            break;
        }
    }
    if (length == 0) {
        return {Codec::none, plain};
    }
    return {wanted, ByteView(out_).first(length)};
}

std::unique_ptr<Encoder> EncoderPool::take() {
    MutexLock lock(mutex_);
    if (idle_.empty()) {
        return std::make_unique<Encoder>();
    }
    auto encoder = std::move(idle_.back());
    idle_.pop_back();
    return encoder;
}

void EncoderPool::give(std::unique_ptr<Encoder> encoder) {
    MutexLock lock(mutex_);
    idle_.push_back(std::move(encoder));
}

Result<Bytes> decode(Codec codec, ByteView stored, std::uint32_t plain_bytes) {
    if (codec == Codec::none) {
        if (stored.size() != plain_bytes) {
            return Error(Code::data_loss, "a raw entry has the wrong length");
        }
        return Bytes(stored.begin(), stored.end());
    }
    Bytes out(plain_bytes);
    std::size_t length = 0;
    if (codec == Codec::lz4) {
        const int result = LZ4_decompress_safe(
            reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(out.data()),
            static_cast<int>(stored.size()), static_cast<int>(out.size()));
        length = result < 0 ? 0 : static_cast<std::size_t>(result);
    } else {
        const std::size_t result = ZSTD_decompressDCtx(decoding_context(), out.data(), out.size(),
                                                       stored.data(), stored.size());
        length = ZSTD_isError(result) != 0 ? 0 : result;
    }
    if (length != plain_bytes) {
        return Error(Code::data_loss, "a compressed entry does not decode");
    }
    return out;
}

}  // namespace kiln::block
