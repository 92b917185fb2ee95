// SPDX-License-Identifier: Apache-2.0
// ConsoleDoor: the web console's files under /console/, and the exchange of a one-time link for the
// keys it stands for. Neither is signed: the files are no secret, and the link is one.
//
//   GET  /console/PATH      a file, with a policy under which the page reaches only this server
//   POST /console/session   {"token"} -> {"accessKeyId", "secretAccessKey", "region"}
//   GET  /                  of a browser: leads to /console/
//
// Thread-safe.
#pragma once

#include <span>

#include "api/console/console_files.h"
#include "api/console/console_links.h"
#include "control/accounts.h"
#include "net/http_server.h"

namespace kiln::api {

class ConsoleDoor {
  public:
    ConsoleDoor(std::span<const ConsoleFile> files, ConsoleLinks& links,
                control::Accounts& accounts)
        : files_(files), links_(links), accounts_(accounts) {}

    // Whether a request is for handle(), and not one of the API.
    static bool is_for_console(const net::HttpRequest& request);
    void handle(const net::HttpRequest& request, net::BodyReader& body,
                net::ResponseWriter& response);

  private:
    void send_file(const net::HttpRequest& request, net::ResponseWriter& response);
    void open_session(const net::HttpRequest& request, net::BodyReader& body,
                      net::ResponseWriter& response);
    Result<std::string> redeem(net::BodyReader& body);

    const std::span<const ConsoleFile> files_;
    ConsoleLinks& links_;
    control::Accounts& accounts_;
};

}  // namespace kiln::api
