// SPDX-License-Identifier: Apache-2.0
// Server: its doors, once everything behind them works.
#include <fmt/format.h>

#include "api/ebs/handlers.h"
#include "api/ec2/handlers.h"
#include "api/iam/handlers.h"
#include "api/ssm/handlers.h"
#include "api/sts/handlers.h"
#include "daemon/server.h"
#include "util/strings.h"

namespace kiln::daemon {
namespace {

// A streamed import holds a thread while it lasts; the rest of the API must go on beside several of
// them.
constexpr std::size_t kRequestThreads = 16;
constexpr std::size_t kRequestQueue = 256;

Result<std::pair<std::string, std::uint16_t>> parse_listen(const std::string& text) {
    const auto colon = text.rfind(':');
    const auto port = colon == std::string::npos ? std::nullopt
                                                 : parse_int<std::uint16_t>(text.substr(colon + 1));
    if (!port) {
        return Error(Code::invalid_argument,
                     "--listen takes ADDRESS:PORT, as 127.0.0.1:4566; not '" + text + "'");
    }
    std::string address = text.substr(0, colon);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
        address = address.substr(1, address.size() - 2);
    }
    return std::pair(address, *port);
}

std::string make_url(const std::string& scheme, const std::string& address, std::uint16_t port) {
    return address.find(':') == std::string::npos
               ? fmt::format("{}://{}:{}", scheme, address, port)
               : fmt::format("{}://[{}]:{}", scheme, address, port);
}

}  // namespace

Status Server::open_api() {
    TRY_ASSIGN(auto messages, control::AuthorizationMessages::create(*store_, *clock_, *rng_));
    authorization_messages_ = std::make_unique<control::AuthorizationMessages>(std::move(messages));
    TRY_ASSIGN(auto tokens, control::BlockTokens::create(*store_, *clock_, *rng_));
    blocks_ = std::make_unique<control::SnapshotBlocks>(*parts_, std::move(tokens),
                                                        [this] { jobs_->poke(); });
    blocks_->start();
    const api::Services services{.accounts = *accounts_,
                                 .images = *images_,
                                 .create_images = *create_images_,
                                 .image_copies = *image_copies_,
                                 .instances = *instances_,
                                 .power = *power_,
                                 .attributes = *attributes_,
                                 .statuses = *statuses_,
                                 .instance_settings = *instance_settings_,
                                 .instance_topologies = *instance_topologies_,
                                 .profile_associations = *profile_associations_,
                                 .replace_roots = *replace_roots_,
                                 .volumes = *volume_requests_,
                                 .modifications = *modifications_,
                                 .volume_health = *volume_health_,
                                 .volume_copies = *volume_copies_,
                                 .imports = *imports_,
                                 .exports = *exports_,
                                 .inspector = *inspector_,
                                 .networks = *networks_,
                                 .network_changes = *network_changes_,
                                 .vpc_parts = *vpc_parts_,
                                 .interface_attributes = *interface_attributes_,
                                 .security_groups = *security_groups_,
                                 .topology = topology_,
                                 .zones = *zones_,
                                 .tags = *tags_,
                                 .key_pairs = *key_pairs_,
                                 .templates = *templates_,
                                 .snapshots = *snapshots_,
                                 .snapshot_sharing = *snapshot_sharing_,
                                 .fast_restores = *fast_restores_,
                                 .fast_launches = *fast_launches_,
                                 .snapshot_copies = *snapshot_copies_,
                                 .region_choices = *region_choices_,
                                 .gc = *gc_,
                                 .parameters = *parameters_,
                                 .provided = *provided_,
                                 .sessions = *sessions_,
                                 .roles = *roles_,
                                 .profiles = *profiles_,
                                 .backups = *backups_,
                                 .verifications = *verifications_,
                                 .diffs = *diffs_,
                                 .blocks = *blocks_,
                                 .uploads = *uploads_,
                                 .image_relations = *image_relations_,
                                 .image_usage = *image_usage_,
                                 .temporary_keys = *temporary_keys_,
                                 .users = *users_,
                                 .stored_parameters = *stored_parameters_,
                                 .resource_lookup = *resource_lookup_,
                                 .authorization_messages = *authorization_messages_};
    api::add_image_handlers(registry_, services);
    api::add_image_attribute_handlers(registry_, services);
    api::add_tag_handlers(registry_, services);
    api::add_create_image_handler(registry_, services);
    api::add_copy_image_handler(registry_, services);
    api::add_instance_handlers(registry_, services);
    api::add_instance_power_handlers(registry_, services);
    api::add_instance_attribute_handlers(registry_, services);
    api::add_instance_settings_handlers(registry_, services);
    api::add_profile_association_handlers(registry_, services);
    api::add_replace_root_handlers(registry_, services);
    api::add_volume_handlers(registry_, services);
    api::add_volume_modification_handlers(registry_, services);
    api::add_volume_status_handlers(registry_, services);
    api::add_instance_type_handlers(registry_, services);
    api::add_type_requirement_handlers(registry_);
    api::add_instance_topology_handlers(registry_, services);
    api::add_network_handlers(registry_, services);
    api::add_network_change_handlers(registry_, services);
    api::add_vpc_part_handlers(registry_, services);
    api::add_security_group_handlers(registry_, services);
    api::add_region_handlers(registry_, services);
    api::add_key_pair_handlers(registry_, services);
    api::add_launch_template_handlers(registry_, services);
    api::add_launch_template_data_handler(registry_, services);
    api::add_snapshot_handlers(registry_, services);
    api::add_snapshot_sharing_handlers(registry_, services);
    api::add_fast_restore_handlers(registry_, services);
    api::add_fast_launch_handlers(registry_, services);
    api::add_public_access_handlers(registry_, services);
    api::add_block_handlers(registry_, services);
    api::add_upload_handlers(registry_, services);
    api::add_role_handlers(registry_, services);
    api::add_instance_profile_handlers(registry_, services);
    api::add_ssm_handlers(registry_, services);
    api::add_user_handlers(registry_, services);
    api::add_identity_handlers(registry_, services);
    api::add_image_relation_handlers(registry_, services);
    api::add_image_usage_handlers(registry_, services);
    api::add_sts_handlers(registry_, services);
    console_links_ = std::make_unique<api::ConsoleLinks>(*clock_, *rng_);
    console_ = std::make_unique<api::ConsoleDoor>(options_.console, *console_links_, *accounts_);
    kiln_api_ = std::make_unique<api::KilnApi>(services, registry_, *console_links_, *clock_);
    throttle_ = std::make_unique<api::RequestThrottle>(limits_.requests, *clock_);
    door_ = std::make_unique<api::Door>(services, registry_, *kiln_api_, metrics_, *throttle_,
                                        *clock_, *rng_);
    guest_api_->serve(*door_);
    health_ = std::make_unique<api::HealthDoor>(
        metrics_, [this] { return is_ready(); }, [this] { return gauges(); });
    requests_ = std::make_unique<Executor>("requests", kRequestThreads, kRequestQueue);
    TRY_ASSIGN(const auto listen, parse_listen(options_.listen));
    net::HttpServerOptions http;
    http.address = listen.first;
    http.port = listen.second;
    http.tls_certificate_path = options_.tls_certificate;
    http.tls_key_path = options_.tls_key;
    http.overload = api::Door::overloaded;
    TRY_ASSIGN(
        http_,
        net::HttpServer::create(http, *requests_,
                                [this](const net::HttpRequest& request, net::BodyReader& body,
                                       net::ResponseWriter& response) {
                                    if (api::HealthDoor::is_for_health(request)) {
                                        health_->handle(request, response);
                                    } else if (api::ConsoleDoor::is_for_console(request)) {
                                        console_->handle(request, body, response);
                                    } else {
                                        door_->handle(request, body, response);
                                    }
                                }),
        "listen on " + options_.listen);
    url_ = make_url(http.tls_key_path.empty() ? "http" : "https", listen.first, http_->port());
    return ok();
}

Result<CommandEnvironment> Server::command_environment() {
    TRY_ASSIGN(const auto key, accounts_->administrator_key());
    if (!key) {
        return Error(Code::not_found, "no administrator has a key");
    }
    return CommandEnvironment{data_, url_, topology_.regions().front().name, key->id.str(),
                              key->secret};
}

std::string Server::make_console_link() {
    const auto key = accounts_->administrator_key();
    if (!key || !*key || options_.console.empty()) {
        return {};
    }
    return url_ + console_links_->create({(*key)->id.str(), topology_.regions().front().name});
}

}  // namespace kiln::daemon
