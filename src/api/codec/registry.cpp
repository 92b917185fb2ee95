// SPDX-License-Identifier: Apache-2.0
#include "api/codec/registry.h"

#include "api/codec/json_codec.h"
#include "api/codec/text.h"
#include "api/codec/xml_writer.h"
#include "util/check.h"

namespace kiln::api {

Result<std::string> Registry::Entry::run(Context& context, const QueryParams& params,
                                         std::string_view request_id, const Gate& gate) const {
    const std::shared_ptr<void> request = info_->request->create();
    TRY(parse_request(*info_, params, request.get()));
    TRY(gate ? gate(request.get()) : ok());
    std::string body;
    TRY(invoke_(context, request.get(),
                [&](void* response) { body = write_response(*info_, response, request_id); }));
    return body;
}

Result<std::string> Registry::Entry::run_json(Context& context, std::string_view body,
                                              const Gate& gate) const {
    const std::shared_ptr<void> request = info_->request->create();
    TRY(parse_json_request(*info_, body, request.get()));
    TRY(gate ? gate(request.get()) : ok());
    std::string answer;
    TRY(invoke_(context, request.get(),
                [&](void* response) { answer = write_json_response(*info_, response); }));
    return answer;
}

Result<RestAnswer> Registry::Entry::run_rest(Context& context, const RestRoute& route,
                                             const RestRequest& http, const Gate& gate) const {
    const std::shared_ptr<void> request = info_->request->create();
    TRY(parse_rest_request(route, http, request.get()));
    TRY(gate ? gate(request.get()) : ok());
    RestAnswer answer;
    TRY(invoke_(context, request.get(),
                [&](void* response) { answer = write_rest_response(*info_, response); }));
    return answer;
}

void Registry::insert(Entry entry) {
    const OperationInfo* info = entry.info_;
    INVARIANT(info->built());
    const bool inserted = entries_.emplace(info, std::move(entry)).second;
    INVARIANT_MSG(inserted, "an operation has two handlers");
}

Result<const Registry::Entry*> Registry::find(const ServiceInfo& service,
                                              std::string_view action) const {
    if (action.empty()) {
        return Error::api(Code::invalid_argument, "MissingAction",
                          "The request must contain the parameter Action");
    }
    const OperationInfo* info = find_operation(service, action);
    if (info == nullptr) {
        return Error::api(Code::invalid_argument, "InvalidAction",
                          "The action " + std::string(shortened(action, 128)) +
                              " is not valid for this web service.");
    }
    const auto found = entries_.find(info);
    if (found == entries_.end()) {
        // EC2's words for what a region does not have: Terraform goes on when it reads them.
        return Error::api(Code::unsupported, "UnsupportedOperation",
                          "The functionality you requested is not available in this region: there "
                          "is no operation " +
                              std::string(action) + ".");
    }
    return &found->second;
}

}  // namespace kiln::api
