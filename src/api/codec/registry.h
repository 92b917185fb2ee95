// SPDX-License-Identifier: Apache-2.0
// Registry: which handler serves which operation. A handler sees typed requests and responses;
// decoding, encoding and the answers for unknown and unbuilt operations are here.
//
//   registry.add<ec2::ops::RunInstances>([&](Context& context, const ec2::RunInstancesRequest&
//   request)
//                                            -> Result<ec2::Reservation> { ... });
//   TRY_ASSIGN(const Registry::Entry* entry, registry.find(service, action));   // throttling,
//   access, version go between TRY_ASSIGN(std::string body, entry->run(context, params,
//   request_id));
//
// An operation without output is handled by Result<Void>. Context is defined by the handlers' side
// and passed through. Thread model: filled by one thread at start, then immutable; run() may be
// called by many threads at once.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "api/codec/operation.h"
#include "api/codec/query_parser.h"
#include "api/codec/rest_codec.h"

namespace kiln::api {

class Context;

class Registry {
  public:
    class Entry {
      public:
        const OperationInfo& info() const { return *info_; }
        // What is asked of the decoded request before the handler (WIRE-9): an error is the
        // answer.
        using Gate = std::function<Status(const void* request)>;
        // Decodes, calls the handler, encodes: the whole response body, or the error to be answered
        // with write_error().
        Result<std::string> run(Context& context, const QueryParams& params,
                                std::string_view request_id, const Gate& gate = {}) const;
        // The same for a service of the JSON protocol; the error goes to write_json_error().
        Result<std::string> run_json(Context& context, std::string_view body,
                                     const Gate& gate = {}) const;
        // The same for a service of the REST protocol; the error goes to write_rest_error().
        Result<RestAnswer> run_rest(Context& context, const RestRoute& route,
                                    const RestRequest& http, const Gate& gate = {}) const;

      private:
        friend class Registry;
        // May take out of the response what it need not copy.
        using Encode = std::function<void(void* response)>;
        // From the decoded request to the response; the one step that knows the types.
        using Invoke = std::function<Status(Context&, const void* request, const Encode& encode)>;
        Entry(const OperationInfo& info, Invoke invoke)
            : info_(&info), invoke_(std::move(invoke)) {}

        const OperationInfo* info_;
        Invoke invoke_;
    };

    // At most once for each operation.
    template <class Op, class Handler>
    void add(Handler handler) {
        insert(Entry(Op::info(),
                     [handler = std::move(handler)](Context& context, const void* request,
                                                    const Entry::Encode& encode) -> Status {
                         TRY_ASSIGN(
                             typename Op::Response response,
                             handler(context, *static_cast<const typename Op::Request*>(request)));
                         encode(&response);
                         return ok();
                     }));
    }

    // MissingAction; InvalidAction for what no model knows; UnsupportedOperation, naming it, for
    // what has no handler (D33).
    Result<const Entry*> find(const ServiceInfo& service, std::string_view action) const;
    bool handles(const OperationInfo& operation) const { return entries_.contains(&operation); }

  private:
    void insert(Entry entry);

    std::unordered_map<const OperationInfo*, Entry> entries_;
};

}  // namespace kiln::api
