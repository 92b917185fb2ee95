// SPDX-License-Identifier: Apache-2.0
// KilnApi: what EC2 has no call for, as JSON under /kiln/v1/, signed with the service name `kiln`.
//
//   POST   /kiln/v1/imports?name=&size=&...    the body is a raw disk -> {imageId, snapshotId,
//   ...};
//                                              parameter=: provided to every account (PRV-5)
//   GET    /kiln/v1/provided                   the provided images of the region -> {images:
//   [{name,
//                                              imageId, parameter, version, created}]}
//   GET    /kiln/v1/disks/{id}                 an image's root disk or a snapshot -> {snapshotId,
//                                              sizeBytes}
//   GET    /kiln/v1/snapshots/{id}/data        its bytes, as an extent stream
//   GET    /kiln/v1/inspect/{id}               where an instance, a volume or a snapshot really is,
//                                              and what is on the disk of a snapshot or an image
//   POST   /kiln/v1/volumes/{id}/export        a read-only NBD socket on this host -> {socket}
//   DELETE /kiln/v1/volumes/{id}/export
//   GET    /kiln/v1/instances/{id}/tunnel?port=
//                                              Upgrade: kiln-tunnel; then the connection is one to
//                                              that TCP port of the instance
//   GET    /kiln/v1/instances/{id}/console     Upgrade: kiln-tunnel; then the connection is the
//                                              instance's serial port
//   GET    /kiln/v1/instances/{id}/log?from=   what it wrote there from an offset on -> {bytes
//                                              (base64), next}
//   POST   /kiln/v1/gc                         a run of garbage collection -> {run, over, ...};
//                                              administrators
//   GET    /kiln/v1/gc?run=                    the same answer about a run asked for before; both
//                                              wait for its end for some seconds
//   GET    /kiln/v1/backup                     the whole store (docs/formats/backup.md);
//                                              administrators
//   GET    /kiln/v1/verify/{id}                reads all of an image, a snapshot or a volume; lines
//   of
//                                              JSON (api/kiln/verify_sender.h)
//   GET    /kiln/v1/operations                 every operation of the service models, and which are
//                                              built
//   GET    /kiln/v1/client                     where this request came from -> {address, range};
//                                              range: what a rule needs to admit it (WEB-3)
//   POST   /kiln/v1/console/links              -> {path, seconds}: signs a browser in once, with
//                                              the keys this request was signed with
//   POST   /kiln/v1/accounts                   {name, id?, managementAccount?, organization?,
//                                              units?} -> {accountId, accessKeyId,
//                                              secretAccessKey}; administrators
//   PUT    /kiln/v1/accounts/{id}              {name?, managementAccount?, organization?, units?}
//                                              -> the account; administrators
//
// Errors: {"code": ..., "message": ..., "requestId": ...} with the status of the same error in EC2.
// Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/codec/registry.h"
#include "api/console/console_links.h"
#include "api/context.h"
#include "api/kiln/tunnels.h"
#include "api/services.h"
#include "io/clock.h"
#include "net/http_server.h"
#include "net/sigv4.h"

namespace kiln::api {

class KilnApi {
  public:
    static constexpr std::string_view kPrefix = "/kiln/v1/";

    KilnApi(Services services, const Registry& registry, ConsoleLinks& console_links,
            io::Clock& clock)
        : services_(services), registry_(registry), console_links_(console_links), clock_(clock) {}

    void serve(const net::HttpRequest& request, const net::Authorization& authorization,
               Context& context, const std::string& secret, net::BodyReader& body,
               net::ResponseWriter& response);
    // Ends the tunnels.
    void stop() { tunnels_.stop(); }
    void refuse(const Error& error, const std::string& request_id, net::ResponseWriter& response);

  private:
    Result<std::string> answer(const net::HttpRequest& request, const Context& context,
                               net::BodyReader& body);
    Result<std::string> import(const net::HttpRequest& request, const Context& context,
                               net::BodyReader& body);
    Result<std::string> describe_disk(const Context& context, const std::string& id);
    void send_snapshot(const Context& context, const std::string& id,
                       net::ResponseWriter& response);
    void send_verification(const Context& context, const std::string& id,
                           net::ResponseWriter& response);
    void send_backup(const Context& context, net::ResponseWriter& response);
    Result<std::string> inspect(const Context& context, const std::string& id);
    Result<std::string> export_volume(const net::HttpRequest& request, const Context& context,
                                      const std::string& id);
    Result<UniqueFd> connect(const net::HttpRequest& request, const Context& context,
                             const std::string& id);
    Status open_tunnel(const net::HttpRequest& request, const Context& context,
                       const std::string& id, net::ResponseWriter& response);
    Status open_console(const Context& context, const std::string& id,
                        net::ResponseWriter& response);
    Status upgrade(const Context& context, UniqueFd socket, const Tunnels::Kind& kind,
                   net::ResponseWriter& response);
    Result<std::string> read_log(const net::HttpRequest& request, const Context& context,
                                 const std::string& id);
    Result<std::string> diff(const net::HttpRequest& request, const Context& context);
    Result<std::string> collect_garbage(const net::HttpRequest& request, const Context& context);
    Result<std::string> provided(const Context& context);
    std::string link_console(const Context& context);
    // `id`: of the account to change; empty: a new one.
    Result<std::string> change_accounts(const Context& context, const std::string& id,
                                        net::BodyReader& body);

    const Services services_;
    const Registry& registry_;
    ConsoleLinks& console_links_;
    io::Clock& clock_;
    Tunnels tunnels_;
};

}  // namespace kiln::api
