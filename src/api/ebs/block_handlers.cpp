// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ebs/convert.h"
#include "api/ebs/handlers.h"
#include "api/generated/ebs/get_snapshot_block.h"
#include "api/generated/ebs/list_changed_blocks.h"
#include "api/generated/ebs/list_snapshot_blocks.h"
#include "control/ebs_errors.h"
#include "util/encoding.h"

namespace kiln::api {
namespace {

constexpr std::string_view kAlgorithm = "SHA256";

template <class Request>
control::BlockPageRequest page_request(const Request& request) {
    control::BlockPageRequest page;
    page.page_token = request.next_token.value_or("");
    if (request.max_results.has_value()) {
        page.max_results = *request.max_results;
    }
    if (request.starting_block_index.has_value()) {
        page.starting_index = *request.starting_block_index;
    }
    return page;
}

// What both lists say besides their blocks.
template <class Response, class Page>
void describe(Response& response, const Page& page) {
    response.expiry_time = page.expires;
    response.volume_size = page.volume_size_gib;
    response.block_size = static_cast<std::int32_t>(control::kApiBlockBytes);
    if (!page.next_token.empty()) {
        response.next_token = page.next_token;
    }
}

Result<ebs::ListSnapshotBlocksResponse> list_snapshot_blocks(
    control::SnapshotBlocks& blocks, const Context& context,
    const ebs::ListSnapshotBlocksRequest& request) {
    TRY_ASSIGN(const auto id, to_snapshot_id(*request.snapshot_id));
    TRY_ASSIGN(const auto page, blocks.list(context.caller, id, page_request(request)));
    ebs::ListSnapshotBlocksResponse response;
    response.blocks.give();
    response.blocks.reserve(page.blocks.size());
    for (const control::ListedBlock& from : page.blocks) {
        auto& to = response.blocks.emplace_back();
        to.block_index = static_cast<std::int32_t>(from.index);
        to.block_token = from.token;
    }
    describe(response, page);
    return response;
}

Result<ebs::ListChangedBlocksResponse> list_changed_blocks(
    control::SnapshotBlocks& blocks, const Context& context,
    const ebs::ListChangedBlocksRequest& request) {
    TRY_ASSIGN(const auto second, to_snapshot_id(*request.second_snapshot_id));
    if (non_empty(request.first_snapshot_id) == nullptr) {
        return control::ebs_errors::invalid_parameter("FirstSnapshotId is required.");
    }
    TRY_ASSIGN(const auto first, to_snapshot_id(*request.first_snapshot_id));
    TRY_ASSIGN(const auto page,
               blocks.list_changed(context.caller, first, second, page_request(request)));
    ebs::ListChangedBlocksResponse response;
    response.changed_blocks.give();
    response.changed_blocks.reserve(page.blocks.size());
    for (const control::ChangedBlock& from : page.blocks) {
        auto& to = response.changed_blocks.emplace_back();
        to.block_index = static_cast<std::int32_t>(from.index);
        if (!from.first_token.empty()) {
            to.first_block_token = from.first_token;
        }
        if (!from.second_token.empty()) {
            to.second_block_token = from.second_token;
        }
    }
    describe(response, page);
    return response;
}

Result<ebs::GetSnapshotBlockResponse> get_snapshot_block(
    control::SnapshotBlocks& blocks, const Context& context,
    const ebs::GetSnapshotBlockRequest& request) {
    TRY_ASSIGN(const auto id, to_snapshot_id(*request.snapshot_id));
    TRY_ASSIGN(auto block,
               blocks.get(context.caller, id, *request.block_index, *request.block_token));
    ebs::GetSnapshotBlockResponse response;
    response.data_length = static_cast<std::int32_t>(block.bytes.size());
    response.checksum = base64_encode(block.digest);
    response.checksum_algorithm = kAlgorithm;
    response.block_data = std::move(block.bytes);
    return response;
}

}  // namespace

void add_block_handlers(Registry& registry, Services services) {
    control::SnapshotBlocks& blocks = services.blocks;
    registry.add<ebs::ops::ListSnapshotBlocks>(
        [&blocks](Context& context, const ebs::ListSnapshotBlocksRequest& request) {
            return list_snapshot_blocks(blocks, context, request);
        });
    registry.add<ebs::ops::ListChangedBlocks>(
        [&blocks](Context& context, const ebs::ListChangedBlocksRequest& request) {
            return list_changed_blocks(blocks, context, request);
        });
    registry.add<ebs::ops::GetSnapshotBlock>(
        [&blocks](Context& context, const ebs::GetSnapshotBlockRequest& request) {
            return get_snapshot_block(blocks, context, request);
        });
}

}  // namespace kiln::api
