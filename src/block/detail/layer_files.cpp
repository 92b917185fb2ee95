// SPDX-License-Identifier: Apache-2.0
#include "block/detail/layer_files.h"

#include <algorithm>

namespace kiln::block {
namespace {

constexpr std::string_view kPrefix = "d-";

std::string base_path(const LayerContext& context, const LayerId& layer) {
    return context.directory + "/" + std::string(kPrefix) + layer.str();
}

// Unlinks one file after the other, the last of `paths` first, and makes it durable.
void unlink_all(const LayerContext& context, std::vector<std::string> paths, Done done) {
    if (paths.empty()) {
        if (!context.durable) {
            context.scheduler.post([done = std::move(done)]() mutable { done(ok()); });
            return;
        }
        context.io.submit(io::Op::sync_dir(context.directory),
                          [done = std::move(done)](Result<std::uint64_t> result) mutable {
                              done(result ? ok() : Status(result.error()));
                          });
        return;
    }
    std::string path = std::move(paths.back());
    paths.pop_back();
    context.io.submit(io::Op::unlink(std::move(path)),
                      [&context, paths = std::move(paths),
                       done = std::move(done)](Result<std::uint64_t> result) mutable {
                          if (!result) {
                              done(result.error());
                              return;
                          }
                          unlink_all(context, std::move(paths), std::move(done));
                      });
}

}  // namespace

std::string map_path(const LayerContext& context, const LayerId& layer) {
    return base_path(context, layer) + ".map";
}

std::string journal_path(const LayerContext& context, const LayerId& layer) {
    return base_path(context, layer) + ".jnl";
}

std::string shard_path(const LayerContext& context, const LayerId& layer, std::uint64_t shard) {
    std::string number = std::to_string(shard);
    if (number.size() < 4) {
        number.insert(0, 4 - number.size(), '0');
    }
    return base_path(context, layer) + "-" + number + ".blk";
}

std::string data_crc_path(const LayerContext& context, const LayerId& layer) {
    return base_path(context, layer) + ".crc";
}

std::optional<LayerId> layer_of_file(std::string_view name) {
    if (!name.starts_with(kPrefix)) {
        return std::nullopt;
    }
    name.remove_prefix(kPrefix.size());
    for (const std::string_view ending : {".map", ".map.new", ".jnl", ".blk", ".crc", ".crc.new"}) {
        if (!name.ends_with(ending)) {
            continue;
        }
        name.remove_suffix(ending.size());
        if (ending == ".blk") {
            const auto dash = name.rfind('-');
            if (dash == std::string_view::npos) {
                return std::nullopt;
            }
            name = name.substr(0, dash);
        }
        return valid_id(name) ? std::optional(LayerId(std::string(name))) : std::nullopt;
    }
    return std::nullopt;
}

void list_layer_files(const LayerContext& context,
                      io::Callback<Result<std::vector<LayerId>>> done) {
    auto names = std::make_unique<std::vector<std::string>>();
    auto* into = names.get();
    context.io.submit(
        io::Op::list(context.directory, into),
        [names = std::move(names), done = std::move(done)](Result<std::uint64_t> result) mutable {
            if (!result) {
                done(result.error());
                return;
            }
            std::vector<LayerId> layers;
            for (const std::string& name : *names) {
                if (auto layer = layer_of_file(name)) {
                    layers.push_back(*std::move(layer));
                }
            }
            std::sort(layers.begin(), layers.end());
            layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
            done(std::move(layers));
        });
}

void remove_layer_files(const LayerContext& context, const LayerId& layer, Done done) {
    auto names = std::make_unique<std::vector<std::string>>();
    auto* into = names.get();
    context.io.submit(
        io::Op::list(context.directory, into),
        [&context, layer, names = std::move(names),
         done = std::move(done)](Result<std::uint64_t> result) mutable {
            if (!result) {
                done(result.error());
                return;
            }
            std::vector<std::string> map;
            std::vector<std::string> rest;
            for (const std::string& name : *names) {
                if (layer_of_file(name) == layer) {
                    (name.ends_with(".map") ? map : rest).push_back(context.directory + "/" + name);
                }
            }
            // The map goes for good first: a layer with a map has all its files, also
            // when the power goes in between and a row still names it.
            unlink_all(
                context, std::move(map),
                [&context, rest = std::move(rest), done = std::move(done)](Status status) mutable {
                    if (!status || rest.empty()) {
                        done(std::move(status));
                        return;
                    }
                    unlink_all(context, std::move(rest), std::move(done));
                });
        });
}

}  // namespace kiln::block
