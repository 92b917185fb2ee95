// SPDX-License-Identifier: Apache-2.0
#include "block/detail/stack.h"

#include <algorithm>

#include "block/detail/join.h"
#include "block/geometry.h"
#include "block/limits.h"

namespace kiln::block {
namespace {

Source resolve_base(const TreeReader* base, std::uint64_t first, std::uint64_t limit) {
    const std::uint64_t size =
        base == nullptr || base->root().top.zero() ? 0 : base->root().size_bytes / kBlockBytes;
    if (first >= size) {
        return {Source::Kind::zeros, limit};
    }
    return {Source::Kind::base, std::min(limit, size - first)};
}

// `below` finds what the sealed layers say of at most so many blocks.
template <class Below>
Source resolve_over(const Stack& stack, std::uint64_t first, std::uint64_t limit, Below below) {
    LayerIndex::Found found{{BlockState::absent, limit}};
    if (stack.active) {
        found = {stack.active->presence(first, limit), stack.active.get()};
    }
    if (found.run.state == BlockState::absent) {
        found = below(found.run.count);
    }
    switch (found.run.state) {
        case BlockState::data:
            return {Source::Kind::layer, found.run.count, found.layer};
        case BlockState::zero:
            return {Source::Kind::zeros, found.run.count};
        case BlockState::absent:
            break;
    }
    return resolve_base(stack.base.get(), first, found.run.count);
}

// As resolve(), by what reads remember.
Source look_up(const Stack& stack, std::uint64_t first, std::uint64_t limit) {
    return resolve_over(stack, first, limit, [&](std::uint64_t most) {
        return stack.index.find(stack.sealed, first, most);
    });
}

// The tree takes requests of bounded length.
void read_base(const std::shared_ptr<TreeReader>& base, std::uint64_t offset, MutableByteView into,
               Join& join) {
    while (!into.empty()) {
        const std::size_t bytes = std::min<std::size_t>(into.size(), kMaxRequestBytes);
        base->read(offset, into.first(bytes), join.arm());
        offset += bytes;
        into = into.subspan(bytes);
    }
}

}  // namespace

Source resolve(const Stack& stack, std::uint64_t first, std::uint64_t limit) {
    return resolve_over(stack, first, limit, [&](std::uint64_t most) {
        return ask_layers(stack.sealed, 0, first, most);
    });
}

void read_stack(io::Scheduler& scheduler, const StackRef& stack, BlockRange range,
                MutableByteView into, Done done) {
    Source source = look_up(*stack, range.first, range.count);
    if (source.kind == Source::Kind::layer && source.count == range.count) {
        source.layer->read(range, into, [stack, done = std::move(done)](Status status) mutable {
            done(std::move(status));
        });
        return;
    }
    auto join = Join::create([&scheduler, stack, done = std::move(done)](Status status) mutable {
        scheduler.post([stack, done = std::move(done), status = std::move(status)]() mutable {
            done(std::move(status));
        });
    });
    while (true) {
        const MutableByteView part = into.first(source.count * kBlockBytes);
        switch (source.kind) {
            case Source::Kind::layer:
                source.layer->read({range.first, source.count}, part, join->arm());
                break;
            case Source::Kind::base:
                read_base(stack->base, range.first * kBlockBytes, part, *join);
                break;
            case Source::Kind::zeros:
                std::fill(part.begin(), part.end(), 0);
                break;
        }
        into = into.subspan(part.size());
        range = {range.first + source.count, range.count - source.count};
        if (range.count == 0) {
            break;
        }
        source = look_up(*stack, range.first, range.count);
    }
    join->ready();
}

void flush_stack(io::Scheduler& scheduler, const StackRef& stack, Done done) {
    auto flush_active = [&scheduler, stack, done = std::move(done)](Status below) mutable {
        if (!below || !stack->active) {
            scheduler.post([done = std::move(done), below = std::move(below)]() mutable {
                done(std::move(below));
            });
            return;
        }
        Layer& active = *stack->active;
        active.flush(active.version(), [stack, done = std::move(done)](Status status) mutable {
            done(std::move(status));
        });
    };
    const auto join = Join::create(std::move(flush_active));
    for (std::size_t i = 0; i < stack->unsealed; ++i) {
        Layer& layer = *stack->sealed[i];
        layer.flush(layer.version(), join->arm());
    }
    join->ready();
}

void close_stack(const Stack& stack, Done done) {
    const auto join = Join::create(std::move(done));
    if (stack.active) {
        stack.active->close(join->arm());
    }
    for (const auto& layer : stack.sealed) {
        layer->close(join->arm());
    }
    join->ready();
}

}  // namespace kiln::block
