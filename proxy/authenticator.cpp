#include "proxy/authenticator.hpp"

#include <algorithm>
#include <stdexcept>

#include <sys/random.h>

#include "protocol/scram.hpp"

namespace tidemark::proxy {

namespace {

/// That there is no such user is believed for a short time only: somebody may just be creating it.
constexpr std::chrono::nanoseconds kUnknownFor = std::chrono::seconds(1);

std::shared_ptr<const UserCredentials> make_credentials(const std::string& process_secret,
                                                        const std::string& user,
                                                        protocol::Credential secret) {
  protocol::Credential client = secret;
  if (secret.password() != nullptr) {
    client = protocol::Credential::scram(protocol::make_verifier(
        *secret.password(), protocol::derive_salt(process_secret, user), protocol::default_scram_iterations));
  }
  return std::make_shared<const UserCredentials>(UserCredentials{std::move(client), std::move(secret)});
}

std::int64_t scram_less_md5(const protocol::Credential& secret) {
  if (secret.verifier() != nullptr) return 1;
  return secret.md5_digits() != nullptr || secret.password() != nullptr ? -1 : 0;
}

/// What a former policy knows of a user whose secret is the same: to make a verifier of a password takes
/// milliseconds, and a reload keeps the monitor waiting.
std::shared_ptr<const UserCredentials> unchanged(const AuthPolicy* former, const std::string& user,
                                                 const protocol::Credential& secret) {
  if (former == nullptr) return nullptr;
  const auto known = former->users.find(user);
  if (known == former->users.end() || !(known->second->for_servers == secret)) return nullptr;
  return known->second;
}

std::shared_ptr<const AuthPolicy> make_policy(const config::Config& config, const std::string& process_secret,
                                              const AuthPolicy* former) {
  auto policy = std::make_shared<AuthPolicy>();
  policy->method = config.auth.method;
  policy->rules = config.auth.rules;
  policy->maps = UserMaps(config.auth.user_maps);
  policy->asks_cluster = config.auth.asks_cluster();
  for (const auto& user : config.users) {
    auto secret = protocol::Credential::parse(user.password.reveal());
    if (!secret)
      throw std::runtime_error("users file: the password of user \"" + user.name + "\" is malformed");
    policy->scram_over_md5 += scram_less_md5(*secret);
    auto credentials = unchanged(former, user.name, *secret);
    if (!credentials) credentials = make_credentials(process_secret, user.name, *std::move(secret));
    policy->users.emplace(user.name, std::move(credentials));
  }
  return policy;
}

SecretCache cache_of(const config::AuthSettings& settings, std::chrono::nanoseconds most) {
  return {settings.query_cache_size, std::min(settings.query_cache, most)};
}

}  // namespace

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  if (::getrandom(bytes.data(), size, 0) != static_cast<ssize_t>(size)) {
    throw std::runtime_error("the system gave no random bytes");
  }
  return bytes;
}

std::string_view to_string(AuthResult result) {
  switch (result) {
    case AuthResult::ok:
      return "ok";
    case AuthResult::no_rule:
      return "no_rule";
    case AuthResult::rejected:
      return "rejected";
    case AuthResult::wrong_secret:
      return "wrong_secret";
    case AuthResult::certificate:
      return "certificate";
    case AuthResult::unavailable:
      return "unavailable";
    case AuthResult::broken_off:
      return "broken_off";
    case AuthResult::count:
      break;
  }
  return "unknown";
}

std::string_view to_string(config::AuthMethod method) {
  switch (method) {
    case config::AuthMethod::scram_sha_256:
      return "scram-sha-256";
    case config::AuthMethod::md5:
      return "md5";
    case config::AuthMethod::cert:
      return "cert";
    case config::AuthMethod::trust:
      return "trust";
    case config::AuthMethod::reject:
      break;
  }
  return "reject";
}

Authenticator::Authenticator(const config::Config& config)
    : process_secret_(random_bytes(32)),
      policy_(make_policy(config, process_secret_, nullptr)),
      known_(cache_of(config.auth, config.auth.query_cache)),
      unknown_(cache_of(config.auth, kUnknownFor)) {}

std::function<void()> Authenticator::prepare_reload(const config::Config& config) {
  return [this, next = make_policy(config, process_secret_, policy().get()), settings = config.auth] {
    change(next, settings);
  };
}

void Authenticator::change(std::shared_ptr<const AuthPolicy> policy, const config::AuthSettings& settings) {
  std::lock_guard lock(mutex_);
  policy_ = std::move(policy);
  // The query may be another one.
  known_ = cache_of(settings, settings.query_cache);
  unknown_ = cache_of(settings, kUnknownFor);
  for (const auto& [user, held] : login_secrets_) {
    const auto found = policy_->users.find(user);
    const auto secrets = held.lock();
    if (secrets && found != policy_->users.end()) secrets->set_credential(found->second->for_servers);
  }
}

std::shared_ptr<const AuthPolicy> Authenticator::policy() const {
  std::lock_guard lock(mutex_);
  return policy_;
}

std::optional<Authenticator::Knowledge> Authenticator::find(const AuthPolicy& policy, const std::string& user,
                                                            LoginAttempt& attempt, pools::Reactor& reactor,
                                                            std::shared_ptr<Ticket>& ticket) {
  if (const auto found = policy.users.find(user); found != policy.users.end())
    return Knowledge{{found->second, std::nullopt, true}, std::nullopt, {}, false};
  if (!policy.asks_cluster || !ask_) return Knowledge{};
  const auto now = pools::Reactor::Clock::now();
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    if (const auto held = login_secrets_.find(user); held != login_secrets_.end()) {
      const auto secrets = held->second.lock();
      if (secrets && secrets->take_doubt()) known_.doubt(user, now);
    }
    if (auto secret = known_.find(user, now)) return Knowledge{*std::move(secret), std::nullopt, {}, true};
    if (auto secret = unknown_.find(user, now)) return Knowledge{*std::move(secret), std::nullopt, {}, true};
    ticket = std::make_shared<Ticket>(Ticket{&attempt, reactor});
    auto& tickets = waiting_[user];
    first = tickets.empty();
    tickets.push_back(ticket);
  }
  if (first) ask_(user);
  return std::nullopt;
}

Authenticator::Knowledge Authenticator::understand(const std::string& user, pools::UserAnswer answer) {
  using Outcome = pools::UserAnswer::Outcome;
  Knowledge knowledge;
  const std::string message = "Tidemark cannot look up user \"" + user + "\": ";
  const auto refuse = [&](std::string why) {
    knowledge.error = ClientError{protocol::Sqlstate{"F0000"},  // config_file_error
                                  message + "auth.query failed",
                                  {},
                                  "The log of Tidemark says why."};
    knowledge.why = "auth.query: " + std::move(why);
  };
  switch (answer.outcome) {
    case Outcome::unreachable:
      // 57P03, cannot_connect_now: clients know that it passes, and libpq tries its next host.
      knowledge.error = ClientError{protocol::Sqlstate{"57P03"},
                                    message + "no server of the cluster answered in time",
                                    {},
                                    "Try again; the password was not checked."};
      knowledge.why = "auth.query got no answer: " + answer.why;
      break;
    case Outcome::refused:
      refuse(answer.why);
      break;
    case Outcome::unknown:
      break;
    case Outcome::found: {
      knowledge.secret.exists = true;
      if (!answer.secret) break;
      const ValidUntil until =
          answer.valid_until ? parse_valid_until(*answer.valid_until) : ValidUntil{true, std::nullopt};
      auto secret = protocol::Credential::parse(*answer.secret);
      protocol::wipe(*answer.secret);
      if (!until.ok) {
        refuse("the third column is no timestamp");
      } else if (!secret) {
        refuse("the secret is neither a SCRAM-SHA-256 verifier nor an md5 hash nor a password");
      } else {
        scram_over_md5_.fetch_add(scram_less_md5(*secret), std::memory_order_relaxed);
        knowledge.secret.credentials = make_credentials(process_secret_, user, *std::move(secret));
        knowledge.secret.valid_until = until.at;
      }
      break;
    }
  }
  return knowledge;
}

void Authenticator::on_answer(const std::string& user, pools::UserAnswer answer) {
  const auto knowledge = std::make_shared<const Knowledge>(understand(user, std::move(answer)));
  std::vector<std::shared_ptr<Ticket>> tickets;
  {
    std::lock_guard lock(mutex_);
    const auto now = pools::Reactor::Clock::now();
    if (!knowledge->error) (knowledge->secret.exists ? known_ : unknown_).put(user, knowledge->secret, now);
    if (const auto waiting = waiting_.find(user); waiting != waiting_.end()) {
      tickets = std::move(waiting->second);
      waiting_.erase(waiting);
    }
  }
  for (const auto& ticket : tickets) {
    ticket->reactor.post([ticket, knowledge] {
      if (ticket->attempt != nullptr) ticket->attempt->answered(*knowledge);
    });
  }
}

config::AuthMethod Authenticator::usual_method(const AuthPolicy& policy) const {
  const std::int64_t scram = policy.scram_over_md5 + scram_over_md5_.load(std::memory_order_relaxed);
  // PostgreSQL's own default is SCRAM (password_encryption).
  return scram < 0 ? config::AuthMethod::md5 : config::AuthMethod::scram_sha_256;
}

void Authenticator::doubt(const std::string& user) {
  std::lock_guard lock(mutex_);
  known_.doubt(user, pools::Reactor::Clock::now());
}

std::shared_ptr<pools::LoginSecrets> Authenticator::login_secrets(std::string_view user) {
  std::lock_guard lock(mutex_);
  auto found = login_secrets_.find(user);
  if (found != login_secrets_.end()) {
    if (auto held = found->second.lock()) return held;
  } else {
    if (login_secrets_.size() >= prune_login_secrets_at_) {
      std::erase_if(login_secrets_, [](const auto& entry) { return entry.second.expired(); });
      prune_login_secrets_at_ = std::max<std::size_t>(1024, 2 * login_secrets_.size());
    }
    found = login_secrets_.emplace(user, std::weak_ptr<pools::LoginSecrets>()).first;
  }
  auto secrets = std::make_shared<pools::LoginSecrets>();
  if (const auto known = policy_->users.find(user); known != policy_->users.end())
    secrets->set_credential(known->second->for_servers);
  found->second = secrets;
  return secrets;
}

void Authenticator::add(config::AuthMethod method, AuthResult result) {
  counts_[static_cast<std::size_t>(method)][static_cast<std::size_t>(result)].fetch_add(
      1, std::memory_order_relaxed);
}

void Authenticator::report_success(config::AuthMethod method) {
  add(method, AuthResult::ok);
}

void Authenticator::report(const AuthFailure& failure) {
  add(failure.method, failure.result);
  // A client that goes away is no news: psql does so to ask for the password.
  if (failure.result != AuthResult::broken_off && told_) told_(failure);
}

std::uint64_t Authenticator::count(config::AuthMethod method, AuthResult result) const {
  return counts_[static_cast<std::size_t>(method)][static_cast<std::size_t>(result)].load(
      std::memory_order_relaxed);
}

}  // namespace tidemark::proxy
