// SPDX-License-Identifier: Apache-2.0
// MetadataHandler: the HTTP face of the metadata service (IMDS-1, IMDS-2, IMDS-5, IMDS-9): methods,
// tokens, paths, and the error pages EC2 sends. Whose metadata is asked for is the label of the
// listener by which a request came, never anything in it.
//
// Thread-safe.
#pragma once

#include "control/metadata.h"
#include "net/http_server.h"

namespace kiln::api {

class MetadataHandler {
  public:
    explicit MetadataHandler(control::Metadata& metadata) : metadata_(metadata) {}

    // HttpRequest::listener is the id of the instance that asks.
    void handle(const net::HttpRequest& request, net::ResponseWriter& response);

    // A whole page: "404 - Not Found" in the markup that EC2's service sends.
    static net::CannedResponse error_page(int status);

  private:
    struct Answer {
        int status = 200;
        std::string body;
        std::string content_type = "text/plain";
        net::Headers headers;
    };
    static Answer refuse(int status);

    Answer answer(const net::HttpRequest& request);
    Answer issue_token(const model::Instance& instance, const net::HttpRequest& request,
                       const std::vector<std::string>& path);
    Answer read(const model::Instance& instance, const net::HttpRequest& request,
                const std::vector<std::string>& path);
    Answer find(const model::Instance& instance, const std::vector<std::string>& path);

    control::Metadata& metadata_;
};

}  // namespace kiln::api
