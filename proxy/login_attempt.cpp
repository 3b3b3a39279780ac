#include <chrono>
#include <utility>

#include "proxy/authenticator.hpp"

namespace tidemark::proxy {

using config::AuthMethod;

LoginAttempt::LoginAttempt(Authenticator& authenticator, pools::Reactor& reactor)
    : authenticator_(authenticator), reactor_(reactor) {}

LoginAttempt::~LoginAttempt() {
  if (ticket_) ticket_->attempt = nullptr;
  if (begun_ && !reported_) failed(AuthResult::broken_off);
}

LoginAttempt::Next LoginAttempt::begin(ClientFacts facts, std::function<void()> on_known) {
  begun_ = true;
  facts_ = std::move(facts);
  policy_ = authenticator_.policy();
  method_ = policy_->method;
  const config::AuthRule* rule = nullptr;
  if (!policy_->rules.empty()) {
    rule = first_match(policy_->rules, facts_);
    if (rule == nullptr) {
      method_ = AuthMethod::reject;
      return refuse(AuthResult::no_rule, no_rule_matches(facts_), "no host rule matches");
    }
    rule_line_ = rule->line;
    method_ = rule->method;
  }
  switch (method_) {
    case AuthMethod::trust:
      return next_ = Next::proceed;
    case AuthMethod::reject:
      return refuse(AuthResult::rejected, rule_rejects(facts_), "the host rule rejects it");
    case AuthMethod::cert:
      return check_certificate(rule);
    case AuthMethod::scram_sha_256:
    case AuthMethod::md5:
      break;
  }
  if (const auto knowledge = authenticator_.find(*policy_, facts_.user, *this, reactor_, ticket_))
    return choose(*knowledge);
  on_known_ = std::move(on_known);
  return next_ = Next::wait;
}

LoginAttempt::Next LoginAttempt::refuse(AuthResult result, ClientError error, std::string why) {
  error_ = std::move(error);
  why_ = std::move(why);
  next_ = Next::refuse;
  failed(result);
  return next_;
}

LoginAttempt::Next LoginAttempt::check_certificate(const config::AuthRule* rule) {
  const auto fail = [&](std::string_view hint, const char* why) {
    return refuse(AuthResult::certificate,
                  {protocol::sqlstate::invalid_authorization_specification,
                   "certificate authentication failed for user \"" + facts_.user + "\"",
                   {},
                   std::string(hint)},
                  why);
  };
  if (!facts_.certificate) {
    return fail("A certificate that Tidemark trusts is needed.",
                "the client showed no certificate that is trusted");
  }
  const bool whole_name = rule != nullptr && rule->client_name == config::CertificateName::distinguished_name;
  const std::string& name =
      whole_name ? facts_.certificate->distinguished_name : facts_.certificate->common_name;
  if (policy_->maps.allow(rule == nullptr ? std::string_view() : rule->map, name, facts_.user))
    return next_ = Next::proceed;
  return fail("The certificate is not for this user.", "the certificate is not for this user");
}

LoginAttempt::Next LoginAttempt::choose(const Authenticator::Knowledge& knowledge) {
  if (knowledge.error) return refuse(AuthResult::unavailable, *knowledge.error, knowledge.why);
  const UserSecret& secret = knowledge.secret;
  from_cache_ = knowledge.from_cache;
  credentials_ = secret.credentials;
  if (!secret.exists) {
    why_ = "unknown user";
  } else if (!credentials_) {
    why_ = "the user has no password";
  } else if (is_expired(secret, std::chrono::system_clock::now())) {
    why_ = "the password has expired";
    credentials_.reset();
  } else if (method_ == AuthMethod::scram_sha_256 && credentials_->for_clients.verifier() == nullptr) {
    why_ = "only an md5 hash is known, which does not serve scram-sha-256";
    credentials_.reset();
  }
  next_ = Next::proceed;
  if (!credentials_) {
    if (method_ == AuthMethod::md5) method_ = authenticator_.usual_method(*policy_);
    return next_;
  }
  const bool verifier = credentials_->for_servers.verifier() != nullptr;
  if (method_ == AuthMethod::md5 && verifier) method_ = AuthMethod::scram_sha_256;
  credential_ = method_ == AuthMethod::md5 ? &credentials_->for_servers : &credentials_->for_clients;
  return next_;
}

void LoginAttempt::answered(const Authenticator::Knowledge& knowledge) {
  ticket_.reset();
  choose(knowledge);
  const auto on_known = std::move(on_known_);
  on_known();
}

void LoginAttempt::succeeded(const std::optional<protocol::ScramKeys>& keys) {
  reported_ = true;
  login_secrets_ = authenticator_.login_secrets(facts_.user);
  if (credentials_) login_secrets_->set_credential(credentials_->for_servers);
  // Of a password the verifier is our own invention: no server has it.
  if (keys && credentials_ && credentials_->for_servers.verifier() != nullptr) login_secrets_->learn(*keys);
  authenticator_.report_success(method_);
}

void LoginAttempt::failed(AuthResult why) {
  if (std::exchange(reported_, true)) return;
  if (why == AuthResult::wrong_secret && from_cache_) authenticator_.doubt(facts_.user);
  if (why == AuthResult::broken_off) why_ = "the client broke it off";
  authenticator_.report({facts_, method_, why, why_, rule_line_});
}

}  // namespace tidemark::proxy
