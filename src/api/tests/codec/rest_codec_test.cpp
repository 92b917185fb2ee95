// SPDX-License-Identifier: Apache-2.0
#include "api/codec/rest_codec.h"

#include <doctest/doctest.h>

#include <map>

#include "api/generated/ebs/complete_snapshot.h"
#include "api/generated/ebs/get_snapshot_block.h"
#include "api/generated/ebs/list_snapshot_blocks.h"
#include "api/generated/ebs/put_snapshot_block.h"
#include "api/generated/ebs/start_snapshot.h"
#include "api/generated/operations.h"

using namespace kiln;
using namespace kiln::api;

namespace {

using Headers = std::map<std::string, std::string, std::less<>>;

std::string operation_of(std::string_view method, std::string_view path) {
    const auto route = find_route(kEbsService, method, path);
    return route ? std::string(route->operation->name) : route.error().api_code();
}

template <class Op>
Result<typename Op::Request> parse(std::string_view path, std::string_view query,
                                   const Headers& headers, std::string_view body) {
    TRY_ASSIGN(const RestRoute route, find_route(kEbsService, Op::info().http.method, path));
    typename Op::Request request;
    const RestRequest http{query,
                           [&](std::string_view name) -> std::optional<std::string_view> {
                               const auto found = headers.find(name);
                               return found == headers.end()
                                          ? std::nullopt
                                          : std::optional<std::string_view>(found->second);
                           },
                           as_bytes(body)};
    TRY(parse_rest_request(route, http, &request));
    return request;
}

template <class Op>
std::string refusal(std::string_view path, std::string_view query = {}, const Headers& headers = {},
                    std::string_view body = {}) {
    const auto request = parse<Op>(path, query, headers, body);
    return request ? "accepted" : request.error().api_code() + ": " + request.error().message();
}

}  // namespace

TEST_CASE("ED-1: method and path say which operation is asked for") {
    CHECK(operation_of("POST", "/snapshots") == "StartSnapshot");
    CHECK(operation_of("PUT", "/snapshots/snap-1/blocks/2") == "PutSnapshotBlock");
    CHECK(operation_of("GET", "/snapshots/snap-1/blocks/2") == "GetSnapshotBlock");
    CHECK(operation_of("GET", "/snapshots/snap-1/blocks") == "ListSnapshotBlocks");
    CHECK(operation_of("GET", "/snapshots/snap-1/changedblocks") == "ListChangedBlocks");
    CHECK(operation_of("POST", "/snapshots/completion/snap-1") == "CompleteSnapshot");
    for (const char* path :
         {"", "/", "snapshots", "/snapshots/", "/snapshots//blocks", "/snapshots/a/blocks/",
          "/snapshots/%2/blocks", "/a/b/c/d/e/f/g/h/i/j", "/snapshots/a/blocks/1/2"}) {
        CAPTURE(path);
        CHECK(operation_of("GET", path) == "UnknownOperationException");
    }
    CHECK(operation_of("DELETE", "/snapshots/snap-1/blocks") == "UnknownOperationException");
}

TEST_CASE("ED-1: members stand in the path, the query, headers and the body") {
    const auto put = parse<ebs::ops::PutSnapshotBlock>("/snapshots/snap%2D1/blocks/2047", "",
                                                       {{"x-amz-Data-Length", "5"},
                                                        {"x-amz-Checksum", "abc="},
                                                        {"x-amz-Checksum-Algorithm", "SHA256"}},
                                                       "bytes");
    REQUIRE(put);
    CHECK(put->snapshot_id == "snap-1");
    CHECK(*put->block_index == 2047);
    CHECK(*put->data_length == 5);
    CHECK(put->checksum == "abc=");
    CHECK(as_text(*put->block_data) == "bytes");
    CHECK_FALSE(put->progress.given());
    const auto list = parse<ebs::ops::ListSnapshotBlocks>(
        "/snapshots/snap-1/blocks", "pageToken=a%2Fb%2B%3D&maxResults=100&other=1", {}, "");
    REQUIRE(list);
    CHECK(list->next_token == "a/b+=");
    CHECK(*list->max_results == 100);
    CHECK_FALSE(list->starting_block_index.given());
    const auto start = parse<ebs::ops::StartSnapshot>(
        "/snapshots", "", {}, R"({"VolumeSize": 8, "Tags": [{"Key": "a", "Value": "b"}]})");
    REQUIRE(start);
    CHECK(*start->volume_size == 8);
    CHECK(start->tags[0].value == "b");
}

TEST_CASE("ED-2: what is missing or no such value is refused with its name") {
    CHECK(refusal<ebs::ops::CompleteSnapshot>("/snapshots/completion/snap-1") ==
          "ValidationException: 1 validation error detected: Value null at 'ChangedBlocksCount' "
          "failed to satisfy constraint: Member must not be null");
    CHECK(refusal<ebs::ops::CompleteSnapshot>("/snapshots/completion/snap-1", "",
                                              {{"x-amz-ChangedBlocksCount", "1x"}}) ==
          "ValidationException: 1 validation error detected: Value '1x' at "
          "'x-amz-ChangedBlocksCount' failed to satisfy constraint: Member must be an integer in "
          "range");
    CHECK(refusal<ebs::ops::CompleteSnapshot>(
              "/snapshots/completion/snap-1", "",
              {{"x-amz-ChangedBlocksCount", "1"}, {"x-amz-Checksum-Aggregation-Method", "TREE"}})
              .find("enum value set: [LINEAR]") != std::string::npos);
    CHECK(
        refusal<ebs::ops::ListSnapshotBlocks>("/snapshots/snap-1/blocks", "maxResults=99999999999")
            .starts_with("ValidationException"));
    CHECK(refusal<ebs::ops::StartSnapshot>("/snapshots", "", {}, "{")
              .starts_with("SerializationException"));
    // What stands in the path cannot come in the body.
    CHECK(refusal<ebs::ops::CompleteSnapshot>("/snapshots/completion/snap-1", "",
                                              {{"x-amz-ChangedBlocksCount", "1"}},
                                              R"({"SnapshotId": "snap-2"})")
              .starts_with("ValidationException"));
}

TEST_CASE("ED-1: an answer is JSON, or headers and the bytes of one member") {
    ebs::GetSnapshotBlockResponse block;
    block.data_length = 3;
    block.checksum = "abc=";
    block.block_data = Bytes{1, 2, 3};
    const RestAnswer answer = write_rest_response(ebs::ops::GetSnapshotBlock::info(), &block);
    CHECK(answer.status == 200);
    CHECK(answer.body == Bytes{1, 2, 3});
    CHECK(answer.headers == std::vector<std::pair<std::string, std::string>>{
                                {"x-amz-Data-Length", "3"}, {"x-amz-Checksum", "abc="}});
    ebs::StartSnapshotResponse started;
    started.snapshot_id = "snap-1";
    started.start_time = UnixMillis{1'500};
    const RestAnswer json = write_rest_response(ebs::ops::StartSnapshot::info(), &started);
    CHECK(json.status == 201);
    CHECK(as_text(json.body) == R"({"SnapshotId":"snap-1","StartTime":1.5})");
    ebs::PutSnapshotBlockResponse put;
    put.checksum = "abc=";
    const RestAnswer empty = write_rest_response(ebs::ops::PutSnapshotBlock::info(), &put);
    CHECK(empty.status == 201);
    CHECK(as_text(empty.body) == "{}");
}

TEST_CASE("ED-2: an error says its exception in a header, and its reason") {
    const auto told = [](const char* code) {
        const RestError error = to_rest_error(Error::api(Code::invalid_argument, code, "text"));
        return std::to_string(error.http_status) + " " + error.code + " " + error.reason;
    };
    CHECK(told("ValidationException:INVALID_BLOCK") == "400 ValidationException INVALID_BLOCK");
    CHECK(told("ValidationException") == "400 ValidationException INVALID_PARAMETER_VALUE");
    CHECK(told("ResourceNotFoundException:SNAPSHOT_NOT_FOUND") ==
          "404 ResourceNotFoundException SNAPSHOT_NOT_FOUND");
    CHECK(told("AccessDeniedException") == "403 AccessDeniedException UNAUTHORIZED_ACCOUNT");
    CHECK(told("ConflictException") == "409 ConflictException ");
    CHECK(told("InvalidParameterValue") == "400 ValidationException INVALID_PARAMETER_VALUE");
    CHECK(told("Unavailable") == "500 InternalServerException ");
    CHECK(told("RequestLimitExceeded") == "400 RequestThrottledException ACCOUNT_THROTTLED");
    const RestError hidden = to_rest_error(Error(Code::io_error, "/secret/path"));
    CHECK(hidden.http_status == 500);
    CHECK(hidden.message == "An internal error has occurred");
    const RestAnswer answer = write_rest_error(
        to_rest_error(Error::api(Code::not_found, "ValidationException:INVALID_TAG", "a \"b\"")));
    CHECK(as_text(answer.body) == R"({"Message":"a \"b\"","Reason":"INVALID_TAG"})");
    REQUIRE(answer.headers.size() == 1);
    CHECK(answer.headers[0] ==
          std::pair<std::string, std::string>("x-amzn-ErrorType", "ValidationException"));
}
