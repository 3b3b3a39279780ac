// The JSON of Patroni's GET /cluster. Boost.JSON comes with the Boost that is there anyway, bounds the depth,
// and is compiled into this file, so that nothing more is linked.

#include <limits>

#include <boost/json/src.hpp>

#include "pools/membership.hpp"

namespace tidemark::pools {
namespace {

namespace json = boost::json;

std::optional<std::string_view> text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const json::string& text = value->get_string();
  return std::string_view(text.data(), text.size());
}

std::optional<std::uint16_t> port_of(const json::object& object) {
  const json::value* value = object.if_contains("port");
  if (value == nullptr) return 5432;  // as libpq has it
  if (!value->is_int64() || value->get_int64() < 1 ||
      value->get_int64() > std::numeric_limits<std::uint16_t>::max())
    return std::nullopt;
  return static_cast<std::uint16_t>(value->get_int64());
}

/// "http://10.0.0.1:8008/patroni"; nothing for what we could not ask.
std::optional<ServiceAddress> service_of(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  url = url.substr(0, url.find('/'));
  const std::size_t colon = url.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = url.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::uint32_t port = 0;
  for (const char digit : url.substr(colon + 1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    port = port * 10 + static_cast<std::uint32_t>(digit - '0');
    if (port > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  }
  if (port == 0 || !is_host(host)) return std::nullopt;
  return ServiceAddress{std::string(host), static_cast<std::uint16_t>(port)};
}

}  // namespace

MembershipAnswer parse_patroni_cluster(std::string_view body) {
  json::error_code error;
  const json::value parsed = json::parse(json::string_view(body.data(), body.size()), error);
  if (error) return BadAnswer{"the answer is no JSON: " + error.message()};
  const json::object* const cluster = parsed.if_object();
  const json::value* const list = cluster == nullptr ? nullptr : cluster->if_contains("members");
  if (list == nullptr || !list->is_array()) return BadAnswer{"the answer has no list of members"};
  if (list->get_array().size() > kMostMembers) return BadAnswer{"the answer has more than 256 members"};
  Membership membership;
  for (const json::value& value : list->get_array()) {
    const json::object* const member = value.if_object();
    if (member == nullptr) return BadAnswer{"a member is no object"};
    const auto role = text_of(*member, "role");
    if (!role) return BadAnswer{"a member has no role"};
    const bool named = *role == "leader" || *role == "standby_leader" || *role == "master";
    if (member->if_contains("host") == nullptr) continue;
    const auto host = text_of(*member, "host");
    if (!host || !is_host(*host)) return BadAnswer{"a member has a host that cannot be one"};
    const auto port = port_of(*member);
    if (!port) return BadAnswer{"a member has no port between 1 and 65535"};
    if (named) {
      if (membership.primary) return BadAnswer{"two members are the leader"};
      membership.primary = membership.nodes.size();
    }
    membership.nodes.push_back({std::string(*host), *port});
    if (const auto url = text_of(*member, "api_url")) {
      if (auto service = service_of(*url)) membership.services.push_back(std::move(*service));
    }
  }
  if (membership.nodes.empty()) return BadAnswer{"no member tells where it listens"};
  return membership;
}

}  // namespace tidemark::pools
