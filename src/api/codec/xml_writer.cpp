// SPDX-License-Identifier: Apache-2.0
#include "api/codec/xml_writer.h"

#include <charconv>

#include "api/codec/text.h"
#include "util/encoding.h"
#include "util/time.h"

namespace kiln::api {
namespace {

constexpr std::string_view kDeclaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

// Appends elements to a text.
class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) {}

    void open(std::string_view name, std::string_view xml_namespace = {}) {
        out_.append("<").append(name);
        if (!xml_namespace.empty()) {
            out_.append(" xmlns=\"").append(xml_namespace).append("\"");
        }
        out_.append(">");
    }
    void close(std::string_view name) { out_.append("</").append(name).append(">"); }
    void empty(std::string_view name) { out_.append("<").append(name).append("/>"); }
    void text(std::string_view name, std::string_view content) {
        open(name);
        append_xml_text(out_, content);
        close(name);
    }

    void members(const StructInfo& info, const void* object) {
        for (const MemberInfo& member : info.members) {
            switch (presence(member, object)) {
                case Presence::absent:
                    break;
                case Presence::empty:
                    empty(member.xml_name);
                    break;
                case Presence::set:
                    element(member.xml_name, member.type, value_of(member, object));
                    break;
            }
        }
    }

  private:
    void element(std::string_view name, const TypeInfo& type, const void* value) {
        open(name);
        content(type, value);
        close(name);
    }

    void content(const TypeInfo& type, const void* value) {
        switch (type.kind) {
            case Kind::structure:
                return members(*type.structure, value);
            case Kind::list:
                return items(*type.list, value);
            case Kind::string:
                return append_xml_text(out_, *static_cast<const std::string*>(value));
            case Kind::integer:
                return number(*static_cast<const std::int32_t*>(value));
            case Kind::long_:
                return number(*static_cast<const std::int64_t*>(value));
            case Kind::double_:
                return number(*static_cast<const double*>(value));
            case Kind::boolean:
                out_.append(*static_cast<const bool*>(value) ? "true" : "false");
                return;
            case Kind::timestamp:
                out_.append(format_iso8601(*static_cast<const UnixMillis*>(value)));
                return;
            case Kind::blob:
                out_.append(base64_encode(*static_cast<const Bytes*>(value)));
                return;
        }
    }

    void items(const ListInfo& list, const void* value) {
        const std::size_t count = list.size(value);
        for (std::size_t i = 0; i < count; ++i) {
            element(list.item_name, list.item, list.at(value, i));
        }
    }

    template <class T>
    void number(T value) {
        char buffer[40];
        const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
        out_.append(buffer, end);
    }

    std::string& out_;
};

}  // namespace

std::string write_response(const OperationInfo& operation, const void* response,
                           std::string_view request_id) {
    std::string out(kDeclaration);
    Writer writer(out);
    const std::string root = std::string(operation.name) + "Response";
    writer.open(root, operation.service->xml_namespace);
    if (operation.service->protocol == Protocol::ec2) {
        writer.text("requestId", request_id);
        if (operation.response == nullptr) {
            writer.text("return", "true");
        } else {
            writer.members(*operation.response, response);
        }
    } else {
        if (operation.response != nullptr) {
            writer.open(operation.result_wrapper);
            writer.members(*operation.response, response);
            writer.close(operation.result_wrapper);
        }
        writer.open("ResponseMetadata");
        writer.text("RequestId", request_id);
        writer.close("ResponseMetadata");
    }
    writer.close(root);
    return out;
}

std::string write_error(const ServiceInfo& service, const WireError& error,
                        std::string_view request_id) {
    std::string out(kDeclaration);
    Writer writer(out);
    const bool ec2 = service.protocol == Protocol::ec2;
    const bool bare = service.protocol == Protocol::rest_xml;
    if (ec2) {
        writer.open("Response");
        writer.open("Errors");
    } else if (!bare) {
        writer.open("ErrorResponse", service.xml_namespace);
    }
    writer.open("Error");
    if (service.protocol == Protocol::query) {
        writer.text("Type", error.sender_fault() ? "Sender" : "Receiver");
    }
    writer.text("Code", error.code);
    writer.text("Message", error.message);
    if (bare) {
        writer.text("RequestId", request_id);
    }
    writer.close("Error");
    if (ec2) {
        writer.close("Errors");
        writer.text("RequestID", request_id);
        writer.close("Response");
    } else if (!bare) {
        writer.text("RequestId", request_id);
        writer.close("ErrorResponse");
    }
    return out;
}

}  // namespace kiln::api
