#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "pools/login_secrets.hpp"
#include "pools/reactor.hpp"
#include "pools/user_reader.hpp"
#include "protocol/credential.hpp"
#include "proxy/error_mapping.hpp"
#include "proxy/host_rules.hpp"
#include "proxy/secret_cache.hpp"
#include "proxy/user_map.hpp"

namespace tidemark::proxy {

/// Fills `size` bytes from the system's random number generator. Throws std::runtime_error when there is
/// none.
[[nodiscard]] std::string random_bytes(std::size_t size);

/// How a client's authentication ended, for the metric and the log.
enum class AuthResult : unsigned char {
  ok,
  no_rule,       ///< no host rule matches
  rejected,      ///< the rule says reject
  wrong_secret,  ///< an unknown user, a user without a password that serves, or a proof that does not match
  certificate,   ///< none, or one that does not name this user
  unavailable,   ///< the secret could not be asked for
  broken_off,    ///< the client closed the connection, broke the protocol or took too long
  count
};
[[nodiscard]] std::string_view to_string(AuthResult result);
[[nodiscard]] std::string_view to_string(config::AuthMethod method);

/// What an operator is told of a client that was not let in. Holds no secret.
struct AuthFailure {
  const ClientFacts& facts;
  config::AuthMethod method;
  AuthResult result;
  std::string_view why;
  std::uint32_t rule_line;  ///< of the [[auth.rule]]; 0: none
};

/// What the configuration says of logins, as it was read last. Immutable.
struct AuthPolicy {
  config::AuthMethod method = config::AuthMethod::scram_sha_256;
  std::vector<config::AuthRule> rules;
  UserMaps maps;
  std::map<std::string, std::shared_ptr<const UserCredentials>, std::less<>> users;
  bool asks_cluster = false;
  std::int64_t scram_over_md5 = 0;  ///< users of the file with SCRAM, less those who can do md5
};

class LoginAttempt;

/// Who may log in, how, and with which secret: the host rules, the users file, and what the cluster says of
/// other users. Any thread, unless marked.
class Authenticator {
 public:
  /// Throws std::runtime_error, naming the user, for a password text that is malformed.
  explicit Authenticator(const config::Config& config);

  /// What makes logins go by `config` once it is called, which cannot fail; who is logged in stays. Throws as
  /// the constructor.
  [[nodiscard]] std::function<void()> prepare_reload(const config::Config& config);

  /// Where users whom the file does not name are asked for. `ask` (any thread) leads to one `on_answer`.
  /// Before the first client.
  void ask_through(std::function<void(const std::string& user)> ask) { ask_ = std::move(ask); }
  void on_answer(const std::string& user, pools::UserAnswer answer);
  /// Hears of failed logins, on the client's thread. Before the first client.
  void on_failure(std::function<void(const AuthFailure&)> told) { told_ = std::move(told); }

  /// What logs the user in to servers: one object for the whole process, which lives as long as somebody
  /// holds it.
  [[nodiscard]] std::shared_ptr<pools::LoginSecrets> login_secrets(std::string_view user);
  /// The same for the life of the process: makes up an unknown user's salt.
  [[nodiscard]] const std::string& process_secret() const { return process_secret_; }

  static constexpr std::size_t kMethods = 5;
  static constexpr std::size_t kResults = static_cast<std::size_t>(AuthResult::count);
  [[nodiscard]] std::uint64_t count(config::AuthMethod method, AuthResult result) const;

 private:
  friend class LoginAttempt;
  /// What was found out about a user. `error` is set when the user could not be asked for.
  struct Knowledge {
    UserSecret secret;
    std::optional<ClientError> error;
    std::string why;  ///< with `error`, for the log
    bool from_cache = false;
  };
  /// An attempt that waits for an answer. The attempt is null once it is gone; its worker's thread alone
  /// looks.
  struct Ticket {
    LoginAttempt* attempt;
    pools::Reactor& reactor;
  };

  void change(std::shared_ptr<const AuthPolicy> policy, const config::AuthSettings& settings);
  [[nodiscard]] std::shared_ptr<const AuthPolicy> policy() const;
  /// What is known now; nothing when the cluster has to be asked: then the ticket's attempt is told.
  [[nodiscard]] std::optional<Knowledge> find(const AuthPolicy& policy, const std::string& user,
                                              LoginAttempt& attempt, pools::Reactor& reactor,
                                              std::shared_ptr<Ticket>& ticket);
  [[nodiscard]] Knowledge understand(const std::string& user, pools::UserAnswer answer);
  /// What an unknown user is asked for where the rule says md5: what most users are.
  [[nodiscard]] config::AuthMethod usual_method(const AuthPolicy& policy) const;
  void doubt(const std::string& user);
  void report(const AuthFailure& failure);
  void report_success(config::AuthMethod method);
  void add(config::AuthMethod method, AuthResult result);

  const std::string process_secret_;
  std::function<void(const std::string&)> ask_;
  std::function<void(const AuthFailure&)> told_;
  mutable std::mutex mutex_;
  std::shared_ptr<const AuthPolicy> policy_;
  SecretCache known_;
  SecretCache unknown_;
  std::map<std::string, std::vector<std::shared_ptr<Ticket>>> waiting_;
  std::map<std::string, std::weak_ptr<pools::LoginSecrets>, std::less<>> login_secrets_;
  std::size_t prune_login_secrets_at_ = 1024;
  std::atomic<std::int64_t> scram_over_md5_{
      0};  ///< users of the cluster seen with SCRAM, less those with md5
  std::array<std::array<std::atomic<std::uint64_t>, kResults>, kMethods> counts_{};
};

/// One client's way through authentication, owned by its handshake and used on the worker's thread alone:
///
///     begin() -> proceed  give method() and credential() to the accept machine
///             -> refuse   send error() as a FATAL ErrorResponse and close
///             -> wait     the secret is asked for: on_known is called later, and next() is then another
///     then succeeded() when the client is authenticated, else failed().
class LoginAttempt {
 public:
  enum class Next : unsigned char { proceed, refuse, wait };

  /// Both must outlive this object.
  LoginAttempt(Authenticator& authenticator, pools::Reactor& reactor);
  /// An answer that is still under way is dropped. Counts as broken off if nothing was reported.
  ~LoginAttempt();
  LoginAttempt(const LoginAttempt&) = delete;
  LoginAttempt& operator=(const LoginAttempt&) = delete;

  /// To be called once. `on_known` is called at most once, only after `wait`, from the reactor and not from
  /// within, and within auth.query_timeout; it may destroy this object.
  [[nodiscard]] Next begin(ClientFacts facts, std::function<void()> on_known);
  [[nodiscard]] Next next() const { return next_; }

  /// proceed: scram_sha_256 or md5; or trust; or cert, and then the certificate names the user. A rule that
  /// says md5 gives scram_sha_256 for a user whose secret is a SCRAM verifier, as in PostgreSQL, and for an
  /// unknown user the one that most users have.
  [[nodiscard]] config::AuthMethod method() const { return method_; }
  /// proceed: what the proof is compared with: a SCRAM verifier for scram_sha_256; a password or md5 digits
  /// for md5. Null for a user who is unknown or has no secret that serves: the exchange runs to its end and
  /// fails like a wrong password. Valid as long as this object.
  [[nodiscard]] const protocol::Credential* credential() const { return credential_; }
  /// refuse: what to tell the client.
  [[nodiscard]] const ClientError& error() const { return error_; }

  /// The client is authenticated. Call it before the session's pools are looked up, since it makes known what
  /// their logins to servers can use.
  void succeeded(const std::optional<protocol::ScramKeys>& keys);
  /// The client failed. After `refuse` the reason is known already and the call may be left out.
  void failed(AuthResult why);

 private:
  friend class Authenticator;
  Next refuse(AuthResult result, ClientError error, std::string why);
  Next check_certificate(const config::AuthRule* rule);
  Next choose(const Authenticator::Knowledge& knowledge);
  void answered(const Authenticator::Knowledge& knowledge);

  Authenticator& authenticator_;
  pools::Reactor& reactor_;
  ClientFacts facts_;
  std::function<void()> on_known_;
  std::shared_ptr<const AuthPolicy> policy_;
  std::shared_ptr<const UserCredentials> credentials_;
  std::shared_ptr<pools::LoginSecrets> login_secrets_;
  std::shared_ptr<Authenticator::Ticket> ticket_;
  Next next_ = Next::refuse;
  config::AuthMethod method_ = config::AuthMethod::scram_sha_256;
  const protocol::Credential* credential_ = nullptr;
  ClientError error_;
  std::string why_ = "the proof does not match";  ///< in the log, should the client fail
  std::uint32_t rule_line_ = 0;
  bool begun_ = false;
  bool reported_ = false;
  bool from_cache_ = false;
};

}  // namespace tidemark::proxy
