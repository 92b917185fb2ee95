// SPDX-License-Identifier: Apache-2.0
#include "io/io.h"

namespace kiln::io {

Op Op::open(std::string path, OpenMode mode) {
    Op op{.kind = OpKind::open};
    op.path = std::move(path);
    op.mode = mode;
    return op;
}

Op Op::close(FileId file) {
    return Op{.kind = OpKind::close, .file = file};
}

Op Op::read(FileId file, std::uint64_t offset, MutableByteView into) {
    return Op{.kind = OpKind::read,
              .file = file,
              .offset = offset,
              .length = into.size(),
              .data = into.data()};
}

Op Op::write(FileId file, std::uint64_t offset, ByteView from) {
    // One field serves both directions; a write never changes the bytes.
    return Op{.kind = OpKind::write,
              .file = file,
              .offset = offset,
              .length = from.size(),
              .data = const_cast<std::uint8_t*>(from.data())};
}

Op Op::sync_data(FileId file) {
    return Op{.kind = OpKind::sync_data, .file = file};
}

Op Op::sync(FileId file) {
    return Op{.kind = OpKind::sync, .file = file};
}

Op Op::punch(FileId file, std::uint64_t offset, std::uint64_t length) {
    return Op{.kind = OpKind::punch, .file = file, .offset = offset, .length = length};
}

Op Op::allocate(FileId file, std::uint64_t offset, std::uint64_t length) {
    return Op{.kind = OpKind::allocate, .file = file, .offset = offset, .length = length};
}

Op Op::truncate(FileId file, std::uint64_t length) {
    return Op{.kind = OpKind::truncate, .file = file, .length = length};
}

Op Op::size(FileId file) {
    return Op{.kind = OpKind::size, .file = file};
}

Op Op::unlink(std::string path) {
    Op op{.kind = OpKind::unlink};
    op.path = std::move(path);
    return op;
}

Op Op::rename(std::string from, std::string to) {
    Op op{.kind = OpKind::rename};
    op.path = std::move(from);
    op.new_path = std::move(to);
    return op;
}

Op Op::sync_dir(std::string path) {
    Op op{.kind = OpKind::sync_dir};
    op.path = std::move(path);
    return op;
}

Op Op::list(std::string path, std::vector<std::string>* names) {
    Op op{.kind = OpKind::list};
    op.path = std::move(path);
    op.names = names;
    return op;
}

}  // namespace kiln::io
