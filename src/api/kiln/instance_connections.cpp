// SPDX-License-Identifier: Apache-2.0
// KilnApi: connections to a running instance, to its ports and to its serial console.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/kiln/kiln_api.h"
#include "api/kiln/query.h"
#include "control/api_errors.h"
#include "net/relay.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::api {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kConnectTime{10};
// A guest whose console nobody reads would wait for it.
constexpr std::chrono::seconds kConsolePatience{10};

}  // namespace

Result<UniqueFd> KilnApi::connect(const net::HttpRequest& request, const Context& context,
                                  const std::string& id) {
    TRY_ASSIGN(const auto instance_id, model::parse_instance_id(id));
    TRY_ASSIGN(Query query, parse_query(request.query));
    const auto port = parse_int<std::uint16_t>(take(query, "port"));
    if (!port || *port == 0 || !query.empty()) {
        return control::errors::invalid_parameter_value("The query is port=NUMBER, 1 to 65535.");
    }
    TRY_ASSIGN(const compute::PortForward forward,
               services_.inspector.forward_of(context.caller, instance_id, *port));
    auto socket =
        net::connect_tcp(forward.address.value, forward.port, Deadline::after(kConnectTime));
    if (!socket) {
        return Error::api(
            Code::unavailable, "Unavailable",
            fmt::format("Port {} of {} does not answer: {}", *port, id, socket.error().message()));
    }
    return UniqueFd(*socket);
}

Status KilnApi::upgrade(const Context& context, UniqueFd socket, const Tunnels::Kind& kind,
                        net::ResponseWriter& response) {
    if (!tunnels_.has_room()) {
        return Error::api(Code::unavailable, "Unavailable",
                          fmt::format("{} tunnels are open already; end one.", kMaxTunnels));
    }
    response.headers().set("x-amzn-requestid", context.caller.request_id);
    auto tunnel = response.upgrade(kTunnelProtocol);
    if (!tunnel) {
        return control::errors::invalid_parameter_value(
            fmt::format("Ask for it with `Connection: Upgrade` and `Upgrade: {}`: {}",
                        kTunnelProtocol, tunnel.error().message()));
    }
    tunnels_.add(std::move(*tunnel), std::move(socket), kind);
    return ok();
}

Status KilnApi::open_tunnel(const net::HttpRequest& request, const Context& context,
                            const std::string& id, net::ResponseWriter& response) {
    TRY_ASSIGN(UniqueFd socket, connect(request, context, id));
    return upgrade(context, std::move(socket), {}, response);
}

Status KilnApi::open_console(const Context& context, const std::string& id,
                             net::ResponseWriter& response) {
    TRY_ASSIGN(const auto instance_id, model::parse_instance_id(id));
    TRY_ASSIGN(UniqueFd port, services_.inspector.open_serial(context.caller, instance_id));
    const std::string name = "console " + id;
    if (tunnels_.has(name)) {
        return Error::api(Code::failed_precondition, "ConsoleInUse",
                          fmt::format("Somebody else is connected to the serial console of '{}'. "
                                      "kiln logs --follow shows it to any number.",
                                      id));
    }
    return upgrade(context, std::move(port), {name, kConsolePatience}, response);
}

Result<std::string> KilnApi::read_log(const net::HttpRequest& request, const Context& context,
                                      const std::string& id) {
    TRY_ASSIGN(const auto instance_id, model::parse_instance_id(id));
    TRY_ASSIGN(Query query, parse_query(request.query));
    const auto from = parse_int<std::uint64_t>(take(query, "from"));
    if (!from || !query.empty()) {
        return control::errors::invalid_parameter_value("The query is from=OFFSET.");
    }
    TRY_ASSIGN(const compute::ConsolePiece piece,
               services_.statuses.console_from(context.caller, instance_id, *from));
    return json{{"bytes", base64_encode(as_bytes(piece.bytes))}, {"next", piece.end}}.dump();
}

}  // namespace kiln::api
