// SPDX-License-Identifier: Apache-2.0
// Engine, second part: what belongs to the image tier alone.
#include "block/detail/engine_impl.h"
#include "block/image/marker.h"

namespace kiln::block {

Result<PackUses> Engine::mark(std::vector<std::string> roots, Deadline deadline) {
    std::vector<RootRef> refs;
    for (const std::string& root : roots) {
        TRY_ASSIGN(const RootDigest digest, parse_root_digest(root));
        refs.push_back({.domain = {}, .digest = digest});
    }
    return impl_->call_store<PackUses>(
        deadline, [refs = std::move(refs)](ChunkStore& store, auto done) mutable {
            Marker::start(store, std::move(refs), std::move(done));
        });
}

Result<Repacked> Engine::repack(std::vector<RepackPiece> pieces, std::uint64_t epoch,
                                Deadline deadline) {
    const auto run = std::make_shared<std::weak_ptr<Repack>>();  // of the owner thread
    const auto answer = impl_->start_store<Repacked>(
        [pieces = std::move(pieces), epoch, run](ChunkStore& store, auto done) mutable {
            *run = Repack::start(store.context(), epoch, std::move(pieces), std::move(done));
        });
    if (!answer->given_by(deadline)) {
        (void)impl_->start_store<void>([run](ChunkStore&, Done) {
            if (const auto repack = run->lock()) {
                repack->cancel();
            }
        });
    }
    return answer->take(Deadline::never());
}

Result<TreeUsage> Engine::measure_tree(const std::string& root,
                                       const std::vector<std::string>& others, Deadline deadline) {
    UsageQuery query;
    TRY_ASSIGN(query.root, parse_root_digest(root));
    for (const std::string& other : others) {
        TRY_ASSIGN(query.others.emplace_back(), parse_root_digest(other));
    }
    return impl_->call_store<TreeUsage>(
        deadline, [query = std::move(query)](ChunkStore& store, auto done) mutable {
            block::measure_tree(store, std::move(query), std::move(done));
        });
}

Result<LeafPage> Engine::diff_trees(const std::string& a, const std::string& b,
                                    std::uint64_t from_leaf, std::size_t limit, Deadline deadline) {
    DiffQuery query{.from_leaf = from_leaf, .limit = limit};
    if (!a.empty()) {
        TRY_ASSIGN(query.a, parse_root_digest(a));
    }
    if (!b.empty()) {
        TRY_ASSIGN(query.b, parse_root_digest(b));
    }
    return impl_->call_store<LeafPage>(deadline, [query](ChunkStore& store, auto done) {
        diff_leaves(store, query, std::move(done));
    });
}

Result<Bytes> Engine::read_pack(const PackId& pack, Deadline deadline) {
    return impl_->call_store<Bytes>(deadline, [pack](ChunkStore& store, auto done) {
        const ImageContext& images = store.context();
        images.objects.get(pack_name(images.store_uuid, pack), 0, kMaxPackBytes,
                           {.timeout = kObjectTimeout}, std::move(done));
    });
}

Status Engine::remove_pack(const PackId& pack, Deadline deadline) {
    TRY(impl_->call_store<void>(deadline, [pack](ChunkStore& store, Done done) {
        const ImageContext& images = store.context();
        images.objects.remove(pack_name(images.store_uuid, pack), {.timeout = kObjectTimeout},
                              std::move(done));
    }));
    impl_->forget_pack(pack);
    return ok();
}

}  // namespace kiln::block
