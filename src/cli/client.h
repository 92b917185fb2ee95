// SPDX-License-Identifier: Apache-2.0
// Client: signed requests to /kiln/v1/ of a running service. Endpoint, keys and region come from
// where AWS clients look (environment, profile), else from the service's own data directory. One
// owner thread, blocking.
#pragma once

#include <memory>
#include <string>

#include "io/clock.h"
#include "net/http_client.h"
#include "net/sigv4.h"
#include "util/result.h"

namespace kiln::cli {

struct ClientChoices {
    std::string data_directory;  // of a service on this host; empty: the default one
    std::string endpoint_url;
    std::string profile;
    std::string region;
    std::string ca_bundle;  // PEM file; empty: AWS_CA_BUNDLE, else what the system trusts
};

class Client {
  public:
    static Result<std::unique_ptr<Client>> create(const ClientChoices& choices);

    // The JSON text of a 2xx answer; any other becomes an error with the service's code and
    // message.
    Result<std::string> call(const std::string& method, const std::string& target,
                             const std::string& body = "");
    // The same with a streamed body.
    Result<std::string> upload(const std::string& target, std::uint64_t length,
                               net::BodySource source);

    // GET that answers with a connection, as tunnels to ports and consoles of instances do.
    Result<std::unique_ptr<net::Tunnel>> open_tunnel(const std::string& target);
    // GET with a streamed answer.
    Status download(const std::string& target, const net::BodySink& sink);

    const std::string& endpoint() const { return endpoint_; }
    const std::string& region() const { return region_; }

  private:
    Client(std::unique_ptr<net::HttpClient> http, net::AwsCredentials credentials,
           std::string endpoint, std::string region);
    void sign(net::ClientRequest& request) const;
    Result<std::string> send(net::ClientRequest request, std::chrono::seconds time);

    std::unique_ptr<net::HttpClient> http_;
    net::AwsCredentials credentials_;
    std::string endpoint_;
    std::string region_;
    std::unique_ptr<io::Clock> clock_;
};

// $XDG_DATA_HOME/kiln or ~/.local/share/kiln; /var/lib/kiln for root.
std::string default_data_directory();

}  // namespace kiln::cli
