// SPDX-License-Identifier: Apache-2.0
// The reader: a process of its own (`kiln read-disk`) in a sandbox without network and files, with
// limits on memory and processor time, in which libraries look at the file systems of a stranger's
// disk. It has no disk: it asks for pages of it on the socket that is its standard input, and
// prints what it found.
//
// The protocol, over SOCK_SEQPACKET, one request at a time: 8 bytes, the page's number (little-
// endian); the answer is one byte 1 and the page (of kPageBytes, the last one shorter), or one byte
// 0, after which the reader asks for nothing more. Thread model: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "disks/file_system.h"
#include "util/deadline.h"

namespace kiln::disks {

constexpr std::size_t kPageBytes = 64U << 10;
// 256 MiB. The metadata on the way to a dozen files are some 30 pages in each of a few partitions.
constexpr std::size_t kMaxPages = 4096;

struct Range {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

// The command line of the reader after its name: "SIZE OFFSET:LENGTH ...". False when it is none.
bool parse_reader_arguments(const std::vector<std::string>& words, std::uint64_t* size_bytes,
                            std::vector<Range>* ranges);

// The reader's main; the exit status.
int run_reader(const std::vector<std::string>& words);

// The other side: findings for each range of the disk. `program` is kiln itself.
struct ReadRequest {
    std::uint64_t size_bytes = 0;
    std::vector<Range> ranges;  // inside the disk
};
Result<std::vector<FileSystemFindings>> run_sandboxed_reader(const ReadRequest& request,
                                                             const ReadAt& read,
                                                             const std::string& program,
                                                             Deadline deadline);

// Pages of a disk on request, until the reader ends; what it printed. Apart, so that a test can be
// the reader. Both descriptors belong to the caller.
Result<std::string> serve_reader(int socket, int output, const ReadRequest& request,
                                 const ReadAt& read, Deadline deadline);

}  // namespace kiln::disks
