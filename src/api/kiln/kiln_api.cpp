// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/kiln_api.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/codec/errors.h"
#include "api/kiln/account_calls.h"
#include "api/kiln/backup_sender.h"
#include "api/kiln/client_address.h"
#include "api/kiln/disk_stream.h"
#include "api/kiln/import_request.h"
#include "api/kiln/json.h"
#include "api/kiln/operations_list.h"
#include "api/kiln/query.h"
#include "api/kiln/verify_sender.h"
#include "control/api_errors.h"
#include "crypto/hash.h"
#include "util/log.h"
#include "util/strings.h"

namespace kiln::api {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kCallTime{60};
// A large disk over a slow line; every single read has the server's own, shorter limit.
constexpr std::chrono::hours kDiskTime{24};
// How long one answer about a run of garbage collection may wait for its end; then one asks again.
constexpr std::chrono::seconds kGcWait{20};
constexpr std::size_t kImportPiece = 1U << 20;
constexpr std::size_t kMaxJsonBody = 64U << 10;

Error no_such_path(const net::HttpRequest& request) {
    return Error::api(Code::not_found, "NotFound",
                      fmt::format("There is no {} {}.", request.method, request.path));
}

void send_json(net::ResponseWriter& response, int status, const std::string& request_id,
               const std::string& body) {
    response.set_status(status);
    response.headers().set("Content-Type", "application/json");
    response.headers().set("x-amzn-requestid", request_id);
    const Status sent = response.send(as_bytes(body), Deadline::after(kCallTime));
    if (!sent) {
        log_debug("api", "an answer was not delivered: " + sent.error().to_string());
    }
}

}  // namespace

void KilnApi::refuse(const Error& error, const std::string& request_id,
                     net::ResponseWriter& response) {
    const WireError wire = to_wire(error);
    if (wire.http_status >= 500) {
        log_error("api", request_id + " " + error.to_string());
    }
    const int status =
        error.code() == Code::not_found && wire.code == "NotFound" ? 404 : wire.http_status;
    send_json(
        response, status, request_id,
        json{{"code", wire.code}, {"message", wire.message}, {"requestId", request_id}}.dump());
}

// Bodies here are either small or streamed disks. Both are signed without their content's hash or
// with a hash the client declared, so the signature is checked before the first byte is read.
void KilnApi::serve(const net::HttpRequest& request, const net::Authorization& authorization,
                    Context& context, const std::string& secret, net::BodyReader& body,
                    net::ResponseWriter& response) {
    const std::string& request_id = context.caller.request_id;
    const net::SigningRequest signing{request.method, request.path, request.query, request.headers};
    const std::string hash = authorization.unsigned_payload ? std::string(net::kUnsignedPayload)
                                                            : crypto::sha256_hex(ByteView{});
    if (!authorization.unsigned_payload && request.content_length.value_or(1) != 0) {
        refuse(Error::api(
                   Code::invalid_argument, "InvalidParameterValue",
                   "Sign requests with a body as UNSIGNED-PAYLOAD (header x-amz-content-sha256)."),
               request_id, response);
        return;
    }
    if (Status verified = net::verify(authorization, secret, signing, hash, clock_.now());
        !verified) {
        refuse(verified.error(), request_id, response);
        return;
    }
    const auto parts = split(std::string_view(request.path).substr(kPrefix.size()), '/');
    if (parts.size() == 3 && parts[0] == "instances" && request.method == "GET" &&
        (parts[2] == "tunnel" || parts[2] == "console")) {
        const std::string id(parts[1]);
        const Status opened = parts[2] == "tunnel" ? open_tunnel(request, context, id, response)
                                                   : open_console(context, id, response);
        if (!opened && !response.started()) {
            refuse(opened.error(), request_id, response);
        }
        return;
    }
    if (parts.size() == 3 && parts[0] == "snapshots" && parts[2] == "data" &&
        request.method == "GET") {
        send_snapshot(context, std::string(parts[1]), response);
        return;
    }
    if (parts.size() == 1 && parts[0] == "backup" && request.method == "GET") {
        send_backup(context, response);
        return;
    }
    if (parts.size() == 2 && parts[0] == "verify" && request.method == "GET") {
        send_verification(context, std::string(parts[1]), response);
        return;
    }
    const auto answered = answer(request, context, body);
    if (!answered) {
        refuse(answered.error(), request_id, response);
        return;
    }
    send_json(response, 200, request_id, *answered);
}

Result<std::string> KilnApi::answer(const net::HttpRequest& request, const Context& context,
                                    net::BodyReader& body) {
    const auto parts = split(std::string_view(request.path).substr(kPrefix.size()), '/');
    const std::string_view method = request.method;
    if (parts.size() == 1 && parts[0] == "imports" && method == "POST") {
        return import(request, context, body);
    }
    if (parts.size() == 2 && parts[0] == "disks" && method == "GET") {
        return describe_disk(context, std::string(parts[1]));
    }
    if (parts.size() == 2 && parts[0] == "inspect" && method == "GET") {
        return inspect(context, std::string(parts[1]));
    }
    if (parts.size() == 3 && parts[0] == "volumes" && parts[2] == "export" &&
        (method == "POST" || method == "DELETE")) {
        return export_volume(request, context, std::string(parts[1]));
    }
    if (parts.size() == 3 && parts[0] == "instances" && parts[2] == "log" && method == "GET") {
        return read_log(request, context, std::string(parts[1]));
    }
    if (parts.size() == 1 && parts[0] == "diff" && method == "GET") {
        return diff(request, context);
    }
    if (parts.size() == 1 && parts[0] == "gc" && (method == "POST" || method == "GET")) {
        return collect_garbage(request, context);
    }
    if (parts.size() == 1 && parts[0] == "provided" && method == "GET") {
        return provided(context);
    }
    if (parts.size() == 1 && parts[0] == "operations" && method == "GET") {
        return list_operations(registry_);
    }
    if (parts.size() == 1 && parts[0] == "client" && method == "GET") {
        const ClientAddress client = client_address(request.peer);
        return json{{"address", client.address}, {"range", client.range}}.dump();
    }
    if (parts.size() == 2 && parts[0] == "console" && parts[1] == "links" && method == "POST") {
        return link_console(context);
    }
    if (parts.size() == 1 && parts[0] == "accounts" && method == "POST") {
        return change_accounts(context, "", body);
    }
    if (parts.size() == 2 && parts[0] == "accounts" && method == "PUT") {
        return change_accounts(context, std::string(parts[1]), body);
    }
    return no_such_path(request);
}

Result<std::string> KilnApi::import(const net::HttpRequest& request, const Context& context,
                                    net::BodyReader& body) {
    TRY_ASSIGN(ImportRequest wanted, parse_import(request.query));
    const bool provided = !wanted.input.image.public_parameter.empty();
    TRY_ASSIGN(const auto import,
               provided ? services_.provided.begin(context.caller, std::move(wanted.input))
                        : services_.imports.begin(context.caller, std::move(wanted.input)));
    DiskIntake intake(*import, wanted.extents);
    const Deadline deadline = Deadline::after(kDiskTime);
    Bytes piece(kImportPiece);
    while (true) {
        TRY_ASSIGN(const std::size_t length, body.read(piece, deadline));
        if (length == 0) {
            break;
        }
        TRY(intake.take(ByteView(piece).first(length)));
    }
    TRY(intake.finish());
    TRY_ASSIGN(control::Imported made, import->finish());
    if (provided) {
        TRY_ASSIGN(made.image_id, services_.provided.spread(context.caller, made.image_id));
    }
    return json{{"imageId", made.image_id.str()},
                {"snapshotId", made.snapshot_id.str()},
                {"volumeSizeGiB", made.volume_size_gib},
                {"dataBytes", made.data_bytes}}
        .dump();
}

Result<std::string> KilnApi::describe_disk(const Context& context, const std::string& id) {
    TRY_ASSIGN(const control::ExportableDisk disk, services_.exports.find(context.caller, id));
    return json{{"snapshotId", disk.snapshot_id.str()}, {"sizeBytes", disk.size_bytes}}.dump();
}

void KilnApi::send_snapshot(const Context& context, const std::string& id,
                            net::ResponseWriter& response) {
    const std::string& request_id = context.caller.request_id;
    const auto snapshot_id = model::parse_snapshot_id(id);
    if (!snapshot_id) {
        refuse(snapshot_id.error(), request_id, response);
        return;
    }
    const auto disk = services_.exports.open(context.caller, *snapshot_id);
    if (!disk) {
        refuse(disk.error(), request_id, response);
        return;
    }
    response.set_status(200);
    response.headers().set("Content-Type", "application/octet-stream");
    response.headers().set("x-amzn-requestid", request_id);
    const Status sent = send_disk(**disk, response, Deadline::after(kDiskTime));
    if (!sent) {
        log_warn("api", request_id + " the export of " + id +
                            " was broken off: " + sent.error().to_string());
    }
}

void KilnApi::send_verification(const Context& context, const std::string& id,
                                net::ResponseWriter& response) {
    const std::string& request_id = context.caller.request_id;
    const auto targets = services_.verifications.find(context.caller, id);
    if (!targets) {
        refuse(targets.error(), request_id, response);
        return;
    }
    response.set_status(200);
    response.headers().set("Content-Type", "application/x-ndjson");
    response.headers().set("x-amzn-requestid", request_id);
    const Status sent = api::send_verification(services_.verifications, *targets, response,
                                               Deadline::after(kDiskTime));
    if (!sent) {
        log_warn("api", request_id + " the verification of " + id +
                            " was broken off: " + sent.error().to_string());
    }
}

void KilnApi::send_backup(const Context& context, net::ResponseWriter& response) {
    const std::string& request_id = context.caller.request_id;
    const auto backup = services_.backups.begin(context.caller);
    if (!backup) {
        refuse(backup.error(), request_id, response);
        return;
    }
    response.set_status(200);
    response.headers().set("Content-Type", "application/octet-stream");
    response.headers().set("x-amzn-requestid", request_id);
    const Status sent = api::send_backup(**backup, response, Deadline::after(kDiskTime));
    if (!sent) {
        log_warn("api", request_id + " the backup was broken off: " + sent.error().to_string());
    }
}

Result<std::string> KilnApi::inspect(const Context& context, const std::string& id) {
    if (id.starts_with("i-")) {
        TRY_ASSIGN(const auto instance_id, model::parse_instance_id(id));
        TRY_ASSIGN(const auto seen, services_.inspector.instance(context.caller, instance_id));
        return to_json(seen);
    }
    if (id.starts_with("snap-")) {
        TRY_ASSIGN(const auto snapshot_id, model::parse_snapshot_id(id));
        TRY_ASSIGN(const auto seen, services_.inspector.snapshot(context.caller, snapshot_id));
        return to_json(seen);
    }
    if (id.starts_with("ami-")) {
        TRY_ASSIGN(const auto image_id, model::parse_image_id(id));
        TRY_ASSIGN(const auto seen, services_.inspector.image(context.caller, image_id));
        return to_json(seen);
    }
    TRY_ASSIGN(const auto volume_id, model::parse_volume_id(id));
    TRY_ASSIGN(const auto seen, services_.inspector.volume(context.caller, volume_id));
    return to_json(seen);
}

Result<std::string> KilnApi::export_volume(const net::HttpRequest& request, const Context& context,
                                           const std::string& id) {
    TRY_ASSIGN(const auto volume_id, model::parse_volume_id(id));
    if (request.method == "DELETE") {
        TRY(services_.inspector.unexport_volume(context.caller, volume_id));
        return std::string("{}");
    }
    TRY_ASSIGN(const std::string socket,
               services_.inspector.export_volume(context.caller, volume_id));
    return json{{"socket", socket}, {"uri", "nbd+unix:///?socket=" + socket}}.dump();
}

Result<std::string> KilnApi::diff(const net::HttpRequest& request, const Context& context) {
    TRY_ASSIGN(Query query, parse_query(request.query));
    const std::string from = take(query, "from");
    const std::string to = take(query, "to");
    const auto offset = parse_int<std::uint64_t>(take(query, "offset"));
    if (!offset || !query.empty()) {
        return control::errors::invalid_parameter_value("The query is from=ID&to=ID&offset=BYTES.");
    }
    TRY_ASSIGN(const control::DiskDiff page,
               services_.diffs.page(context.caller, from, to, *offset));
    return to_json(page);
}

Result<std::string> KilnApi::collect_garbage(const net::HttpRequest& request,
                                             const Context& context) {
    if (!context.caller.administrator) {
        return Error::api(Code::permission_denied, "UnauthorizedOperation",
                          "Only an administrator may collect garbage.");
    }
    std::uint64_t run = 0;
    if (request.method == "POST") {
        TRY_ASSIGN(run, services_.gc.request());
    } else {
        TRY_ASSIGN(Query query, parse_query(request.query));
        const auto wanted = parse_int<std::uint64_t>(take(query, "run"));
        if (!wanted || !query.empty()) {
            return control::errors::invalid_parameter_value("The query is run=NUMBER.");
        }
        run = *wanted;
    }
    TRY_ASSIGN(const control::GcReport report, services_.gc.wait(run, Deadline::after(kGcWait)));
    return json{{"run", report.run},
                {"over", report.over},
                {"packsRemoved", report.packs_removed},
                {"bytesRemoved", report.bytes_removed},
                {"packsKept", report.packs_kept},
                {"bytesKept", report.bytes_kept},
                {"packsCompacted", report.packs_compacted},
                {"bytesCopied", report.bytes_copied},
                {"bytesLive", report.bytes_live}}
        .dump();
}

Result<std::string> KilnApi::provided(const Context& context) {
    TRY_ASSIGN(const auto parameters, services_.parameters.list(context.caller));
    json images = json::array();
    for (const control::Parameter& parameter : parameters) {
        images.push_back({{"name", parameter.image_name},
                          {"imageId", parameter.value},
                          {"parameter", parameter.name},
                          {"version", parameter.version},
                          {"created", format_iso8601(parameter.modified)}});
    }
    return json{{"images", images}}.dump();
}

std::string KilnApi::link_console(const Context& context) {
    const std::string path = console_links_.create({context.access_key_id, context.caller.region});
    return json{{"path", path}, {"seconds", ConsoleLinks::kLifetime / std::chrono::seconds(1)}}
        .dump();
}

Result<std::string> KilnApi::change_accounts(const Context& context, const std::string& id,
                                             net::BodyReader& body) {
    if (!context.caller.administrator) {
        return Error::api(Code::permission_denied, "UnauthorizedOperation",
                          "Only an administrator may create and change accounts.");
    }
    TRY_ASSIGN(const Bytes bytes, body.read_all(kMaxJsonBody, Deadline::after(kCallTime)));
    return id.empty() ? create_account(services_.accounts, as_text(bytes))
                      : update_account(services_.accounts, id, as_text(bytes));
}

}  // namespace kiln::api
