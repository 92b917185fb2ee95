// SPDX-License-Identifier: Apache-2.0
// The metadata service over real unix sockets.
#include "api/metadata/metadata_door.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <thread>

#include "control/tests/metadata_world.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::api;
using namespace kiln::control::testing;

namespace {

struct Reply {
    int status = 0;
    std::string head;
    std::string body;
    // Of a header, in the capitals it was sent with; empty when it is not there.
    std::string header(const std::string& name) const {
        const std::size_t at = head.find("\r\n" + name + ": ");
        if (at == head.npos) {
            return {};
        }
        const std::size_t begin = at + name.size() + 4;
        return head.substr(begin, head.find('\r', begin) - begin);
    }
};

UniqueFd connect_to(const std::string& path) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof(address.sun_path));
    std::memcpy(address.sun_path, path.data(), path.size());
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
        return UniqueFd();
    }
    return fd;
}

Reply talk(const std::string& path, const std::string& message) {
    const UniqueFd fd = connect_to(path);
    REQUIRE(static_cast<bool>(fd));
    REQUIRE(::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(message.size()));
    std::string all;
    char buffer[4096];
    for (ssize_t count = 0; (count = ::recv(fd.get(), buffer, sizeof(buffer), 0)) > 0;) {
        all.append(buffer, static_cast<std::size_t>(count));
    }
    const std::size_t end = all.find("\r\n\r\n");
    REQUIRE(end != all.npos);
    Reply reply{0, all.substr(0, end + 2), all.substr(end + 4)};
    reply.status = std::stoi(all.substr(9, 3));
    return reply;
}

// A running instance with its door open.
struct Service : World {
    Service() {
        insert(instance);
        auto made = MetadataDoor::create(*metadata_, clock());
        REQUIRE(made.has_value());
        door = std::move(*made);
        REQUIRE(door->open(instance.id, socket(), std::nullopt));
    }
    std::string socket() const { return file("metadata.sock"); }
    Reply ask(const std::string& method, const std::string& path, const std::string& headers = "") {
        return talk(socket(), method + " " + path +
                                  " HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: "
                                  "close\r\n" +
                                  headers + "\r\n");
    }
    Reply get(const std::string& path, const std::string& headers = "") {
        return ask("GET", path, headers);
    }
    Reply put_token(const std::string& headers) { return ask("PUT", "/latest/api/token", headers); }

    model::Instance instance = full_instance();
    std::unique_ptr<control::Metadata> metadata_ = World::metadata();
    std::unique_ptr<MetadataDoor> door;
};

const std::string kTtl = "X-aws-ec2-metadata-token-ttl-seconds: ";
const std::string kToken = "X-aws-ec2-metadata-token: ";

}  // namespace

TEST_CASE("IMDS-1: every version that is listed answers, and no other") {
    Service service;
    const Reply versions = service.get("/");
    CHECK(versions.status == 200);
    CHECK(versions.body.starts_with("1.0\n2007-01-19\n"));
    CHECK(versions.body.ends_with("\nlatest"));
    for (const std::string_view version : control::metadata_versions()) {
        const Reply reply = service.get("/" + std::string(version) + "/meta-data/instance-id");
        CHECK(reply.status == 200);
        CHECK(reply.body == kInstance.str());
        CHECK(versions.body.find(version) != std::string::npos);
    }
    for (const char* version : {"2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23"}) {
        CHECK(service.get("/" + std::string(version) + "/meta-data/").status == 200);
    }
    CHECK(service.get("/1999-01-01/meta-data/instance-id").status == 404);
    CHECK(service.get("/Latest/").status == 404);
}

TEST_CASE("IMDS-5 IMDS-9: directories, leaves, user data and what is missing") {
    Service service;
    const Reply leaf = service.get("/latest/meta-data/local-ipv4?x=y");
    CHECK(leaf.body == "172.31.5.10");
    CHECK(leaf.header("Content-Type") == "text/plain");
    CHECK(leaf.header("Server") == "EC2ws");
    CHECK(service.get("/latest").body == "dynamic\nmeta-data\nuser-data");
    CHECK(service.get("/latest/meta-data").body == service.get("/latest/meta-data/").body);
    CHECK(service.get("/latest/dynamic/instance-identity").body ==
          "document\npkcs7\nrsa2048\nsignature");
    const Reply signature = service.get("/latest/dynamic/instance-identity/signature");
    CHECK(signature.status == 200);
    CHECK(signature.header("Content-Type") == "text/plain");
    CHECK(signature.body.size() == 344 + 4);  // 256 bytes in Base64, in five lines
    const Reply data = service.get("/latest/user-data");
    CHECK(data.body == std::string("#!/bin/sh\n\0\xff", 12));
    CHECK(data.header("Content-Type") == "application/octet-stream");
    const Reply head = service.ask("HEAD", "/latest/user-data");
    CHECK(head.status == 200);
    CHECK(head.header("Content-Length") == "12");
    CHECK(head.body.empty());

    const Reply missing = service.get("/latest/meta-data/nothing");
    CHECK(missing.status == 404);
    CHECK(missing.header("Content-Type") == "text/html");
    CHECK(missing.body.starts_with("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n"));
    CHECK(missing.body.find("<title>404 - Not Found</title>") != std::string::npos);
    CHECK(service.get("/latest/meta-data/%zz").status == 400);
    CHECK(service.get("/latest/meta-data/../../" + kInstance.str()).status == 404);
}

TEST_CASE("IMDS-2: a token opens what needs one") {
    Service service;
    service.instance.metadata_options.tokens_required = true;
    service.update(service.instance);
    const Reply refused = service.get("/latest/meta-data/instance-id");
    CHECK(refused.status == 401);
    CHECK(refused.body.find("401 - Unauthorized") != std::string::npos);
    const Reply token = service.put_token(kTtl + "60\r\nContent-Length: 0\r\n");
    CHECK(token.status == 200);
    CHECK(token.header("Content-Type") == "text/plain");
    CHECK(token.header("X-aws-ec2-metadata-token-ttl-seconds") == "60");
    service.clock().advance(std::chrono::seconds(10));
    const Reply got = service.get("/latest/meta-data/instance-id", kToken + token.body + "\r\n");
    CHECK(got.status == 200);
    CHECK(got.body == kInstance.str());
    CHECK(got.header("X-aws-ec2-metadata-token-ttl-seconds") == "50");
    CHECK(service.get("/latest/nothing", kToken + token.body + "\r\n").status == 404);
    service.clock().advance(std::chrono::seconds(50));
    CHECK(service.get("/", kToken + token.body + "\r\n").status == 401);
}

TEST_CASE("IMDS-2: with optional tokens a bad one is refused all the same") {
    Service service;
    CHECK(service.get("/latest/meta-data/").status == 200);
    CHECK(service.get("/latest/meta-data/", kToken + "x\r\n").status == 401);
    CHECK(service.get("/latest/meta-data/", kToken + "\r\n").status == 401);
    const std::string token = kToken + service.put_token(kTtl + "60\r\n").body + "\r\n";
    CHECK(service.get("/latest/meta-data/", token).status == 200);
    CHECK(service.get("/latest/meta-data/", token + token).status == 401);
}

TEST_CASE("IMDS-2: token requests that are refused") {
    Service service;
    for (const char* ttl : {"0", "21601", "-5", "soon", ""}) {
        CHECK(service.put_token(kTtl + ttl + "\r\n").status == 400);
    }
    CHECK(service.put_token("").status == 400);
    CHECK(service.put_token(kTtl + "60\r\n" + kTtl + "60\r\n").status == 400);
    CHECK(service.put_token(kTtl + "60\r\nX-Forwarded-For: 10.0.0.1\r\n").status == 403);
    CHECK(service.ask("PUT", "/2021-03-23/api/token", kTtl + "60\r\n").status == 403);
    CHECK(service.ask("PUT", "/latest/meta-data/", kTtl + "60\r\n").status == 403);
    CHECK(service.get("/latest/api/token").status == 405);
    for (const char* method : {"POST", "DELETE", "PATCH", "OPTIONS"}) {
        const Reply reply = service.ask(method, "/latest/meta-data/", "Content-Length: 0\r\n");
        CHECK(reply.status == 405);
        CHECK(reply.header("Allow") == "GET, HEAD, PUT");
    }
    // A proxy's header does no harm to what needs a token anyway.
    CHECK(service.get("/latest/meta-data/", "X-Forwarded-For: 10.0.0.1\r\n").status == 200);
}

TEST_CASE("IMDS-2 IMDS-4: a disabled endpoint forbids everything, until it is enabled") {
    Service service;
    service.instance.metadata_options.endpoint_enabled = false;
    service.update(service.instance);
    CHECK(service.get("/").status == 403);
    CHECK(service.get("/latest/meta-data/instance-id").status == 403);
    CHECK(service.put_token(kTtl + "60\r\n").status == 403);
    service.instance.metadata_options.endpoint_enabled = true;
    service.update(service.instance);
    CHECK(service.get("/latest/meta-data/instance-id").status == 200);
}

TEST_CASE("each socket shows its own instance, whatever a request says") {
    Service service;
    model::Instance other = full_instance();
    other.id = model::InstanceId("i-0fedcba9876543210");
    other.private_ip = "172.31.5.11";
    service.insert(other);
    const std::string path = service.file("other.sock");
    REQUIRE(service.door->open(other.id, path, std::nullopt));
    CHECK(talk(path, "GET /latest/meta-data/instance-id HTTP/1.0\r\n\r\n").body == other.id.str());
    const std::string token = service.put_token(kTtl + "60\r\n").body;
    CHECK(talk(path, "GET / HTTP/1.0\r\n" + kToken + token + "\r\n\r\n").status == 401);
    CHECK(talk(path, "GET /latest/meta-data/instance-id HTTP/1.0\r\nX-Instance-Id: " +
                         kInstance.str() + "\r\nX-Forwarded-For: 172.31.5.10\r\n\r\n")
              .body == other.id.str());
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0600);

    service.door->close(other.id);
    CHECK_FALSE(static_cast<bool>(connect_to(path)));
    service.door->close(other.id);
    CHECK(service.get("/latest/meta-data/instance-id").body == kInstance.str());
    REQUIRE(service.door->open(kInstance, path, std::nullopt));  // at another place
    CHECK_FALSE(static_cast<bool>(connect_to(service.socket())));
    CHECK(talk(path, "GET /latest/meta-data/instance-id HTTP/1.0\r\n\r\n").body == kInstance.str());
}

TEST_CASE("hundreds of instances share the threads of one door") {
    Service service;
    const auto threads = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                             std::filesystem::directory_iterator());
    };
    const auto before = threads();
    constexpr int kInstances = 300;
    std::vector<model::Instance> instances;
    for (int i = 0; i < kInstances; ++i) {
        model::Instance instance = full_instance();
        instance.id = model::InstanceId("i-" + std::to_string(10'000'000 + i));
        instance.private_ip = "172.31.6." + std::to_string(i);
        instances.push_back(instance);
    }
    REQUIRE(service.store().run([&](catalog::Transaction& tx) -> Status {
        for (const model::Instance& instance : instances) {
            TRY(tx.instances().insert(instance));
        }
        return ok();
    }));
    for (const model::Instance& instance : instances) {
        REQUIRE(service.door->open(instance.id, service.file(instance.id.str()), std::nullopt));
    }
    for (const model::Instance& instance : instances) {
        CHECK(talk(service.file(instance.id.str()),
                   "GET /latest/meta-data/instance-id HTTP/1.0\r\n\r\n")
                  .body == instance.id.str());
    }
    CHECK(threads() == before);
}

TEST_CASE("IMDS-14: beyond its rate an instance is put off, and the others are not") {
    Service service;
    model::Instance other = full_instance();
    other.id = model::InstanceId("i-0fedcba9876543210");
    other.private_ip = "172.31.5.11";
    service.insert(other);
    REQUIRE(service.door->open(other.id, service.file("other.sock"), std::nullopt));
    const std::string request = "GET /latest/meta-data/instance-id HTTP/1.0\r\n\r\n";
    for (int i = 0; i < static_cast<int>(kMetadataBurst); ++i) {
        REQUIRE(talk(service.socket(), request).status == 200);
    }
    const Reply refused = talk(service.socket(), request);
    CHECK(refused.status == 503);
    CHECK(refused.header("Retry-After") == "1");
    CHECK(talk(service.file("other.sock"), request).status == 200);
    service.clock().advance(std::chrono::milliseconds(10));  // one more
    CHECK(talk(service.socket(), request).status == 200);
    CHECK(talk(service.socket(), request).status == 503);
}

TEST_CASE("a body is not waited for") {
    Service service;
    const Reply reply = talk(service.socket(), "PUT /latest/api/token HTTP/1.1\r\nHost: t\r\n" +
                                                   kTtl + "60\r\nContent-Length: 1000\r\n\r\n");
    CHECK(reply.status == 200);
    CHECK(reply.header("Connection") == "close");
}
