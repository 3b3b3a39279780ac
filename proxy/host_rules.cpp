#include "proxy/host_rules.hpp"

#include <algorithm>

namespace tidemark::proxy {

namespace {

bool matches_type(config::ConnectionType type, const ClientFacts& facts) {
  switch (type) {
    case config::ConnectionType::local:
      return facts.peer.local;
    case config::ConnectionType::host:
      return !facts.peer.local;
    case config::ConnectionType::hostssl:
      return !facts.peer.local && facts.encrypted;
    case config::ConnectionType::hostnossl:
      return !facts.peer.local && !facts.encrypted;
  }
  return false;
}

bool matches(const config::AuthRule& rule, const ClientFacts& facts) {
  if (!matches_type(rule.type, facts)) return false;
  if (!facts.peer.local && !rule.address.contains(facts.peer.address, facts.peer.same_host)) return false;
  const bool database = std::any_of(rule.databases.begin(), rule.databases.end(), [&](const auto& name) {
    return name == "all" || name == facts.database || (name == "sameuser" && facts.database == facts.user);
  });
  return database && std::any_of(rule.users.begin(), rule.users.end(),
                                 [&](const auto& name) { return name == "all" || name == facts.user; });
}

/// host "10.0.0.7", user "app", database "shop", no encryption
std::string describe_client(const ClientFacts& facts) {
  return "host \"" + facts.peer.text + "\", user \"" + facts.user + "\", database \"" + facts.database +
         "\", " + (facts.encrypted ? "SSL encryption" : "no encryption");
}

}  // namespace

const config::AuthRule* first_match(std::span<const config::AuthRule> rules, const ClientFacts& facts) {
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const auto& rule) { return matches(rule, facts); });
  return found == rules.end() ? nullptr : &*found;
}

ClientError no_rule_matches(const ClientFacts& facts) {
  return {protocol::sqlstate::invalid_authorization_specification,
          "no host rule for " + describe_client(facts),
          {},
          "None of the [[auth.rule]] tables in the configuration of Tidemark, which stand there for "
          "pg_hba.conf, matches this connection: add one."};
}

ClientError rule_rejects(const ClientFacts& facts) {
  return {protocol::sqlstate::invalid_authorization_specification,
          "a host rule rejects connections for " + describe_client(facts),
          {},
          "The first [[auth.rule]] in the configuration of Tidemark that matches says \"reject\"."};
}

}  // namespace tidemark::proxy
