// SPDX-License-Identifier: Apache-2.0
// Where the daemon keeps things, and what it writes there for its users.
//
//   DIR/lock            held while a daemon uses the directory
//   DIR/catalog.sqlite  everything but bytes
//   DIR/layers/         the bytes volumes write
//   DIR/objects/        the bytes of images and snapshots, in packs
//   DIR/instances/<id>/ runtime record and serial log of each instance
//   DIR/credentials, DIR/config   the first account, in the form of AWS clients (profile `kiln`),
//                       mode 0600
//   DIR/endpoint        the URL the service listens on, while it runs
//   DIR/identity-certificate.pem  by which instance identity documents are verified (IMDS-10)
//   RUNTIME             unix sockets: a short path (107 bytes is all a socket's name may have), the
//                       same at every start, because guests' sockets live there across restarts of
//                       the daemon (D22)
// Thread model: pure functions over the file system.
#pragma once

#include <string>

#include "control/accounts.h"
#include "util/result.h"

namespace kiln::daemon {

inline constexpr char kIdentityCertificate[] = "identity-certificate.pem";

// A socket's name may have 107 bytes; the longest below the runtime directory is "/i-<17
// digits>/monitor2.sock".
inline constexpr std::size_t kMaxRuntimePath = 70;

// Made if missing, mode 0700.
Status prepare_data_directory(const std::string& path);
// /run/kiln-<uuid> (root), $XDG_RUNTIME_DIR/kiln-<uuid>, /tmp/kiln-<uid>-<uuid>.
std::string default_runtime_directory(const std::string& store_uuid);
// `wanted` if not empty, else the default. Refuses one that belongs to somebody else, and one whose
// path is too long.
Result<std::string> prepare_runtime_directory(const std::string& wanted,
                                              const std::string& store_uuid);
// What --provided-images says, else the directory of the images that came with the program: beside
// the build, or where packages put them. Empty: there is none, or none is wanted.
std::string provided_images_directory(const std::string& wanted);
Status write_client_files(const std::string& data_directory, const control::NewAccount& account,
                          const std::string& endpoint_url, const std::string& region);

}  // namespace kiln::daemon
