#include "proxy/handshake.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <variant>

#include "pools/tls_context.hpp"
#include "protocol/startup_options.hpp"
#include "proxy/admin_session.hpp"
#include "proxy/event_log.hpp"
#include "proxy/peer_address.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"
#include "routing/position_token.hpp"

namespace tidemark::proxy {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// What begins so is a parameter of the proxy's, not of the servers'.
constexpr std::string_view kOwnParameters = "tidemark.";

protocol::TlsOffer offer_of(const pools::TlsSetup& setup, const pools::Socket& client) {
  // As with PostgreSQL, what goes through a Unix socket is not encrypted.
  if (setup.listen.mode != pools::ListenTlsMode::disable && peer_of(client.descriptor()).local)
    return protocol::TlsOffer::disabled;
  switch (setup.listen.mode) {
    case pools::ListenTlsMode::disable:
      return protocol::TlsOffer::disabled;
    case pools::ListenTlsMode::allow:
      return protocol::TlsOffer::allowed;
    case pools::ListenTlsMode::require:
    case pools::ListenTlsMode::verify_full:
      break;
  }
  return protocol::TlsOffer::required;
}

protocol::TlsPeer to_protocol(pools::TlsPeer peer) {
  protocol::TlsPeer result;
  result.channel_binding = std::move(peer.server_end_point);
  result.alpn = std::move(peer.alpn);
  if (peer.verified) {
    result.certificate = {.common_name = std::move(peer.common_name),
                          .subject_name = std::move(peer.subject)};
  }
  return result;
}

protocol::AuthMethod to_protocol(config::AuthMethod method) {
  switch (method) {
    case config::AuthMethod::scram_sha_256:
      return protocol::AuthMethod::scram_sha_256;
    case config::AuthMethod::md5:
      return protocol::AuthMethod::md5;
    case config::AuthMethod::cert:
      return protocol::AuthMethod::cert;
    case config::AuthMethod::trust:
      return protocol::AuthMethod::trust;
    case config::AuthMethod::reject:
      break;
  }
  return protocol::AuthMethod::reject;
}

/// As PostgreSQL says it (guc.c, find_option and assignable_custom_variable_name).
ClientError describe_bad_parameter(const std::string& name) {
  if (name.find('.') == std::string::npos)
    return {protocol::Sqlstate{"42704"}, "unrecognized configuration parameter \"" + name + "\"", {}, {}};
  return {protocol::Sqlstate{"42602"},
          "invalid configuration parameter name \"" + name + "\"",
          "Custom parameter names must be two or more simple identifiers separated by dots.",
          {}};
}

}  // namespace

Handshake::Handshake(Worker& worker, pools::Socket client, bool refused)
    : worker_(worker),
      client_(std::move(client)),
      tls_(worker.tls()),
      machine_(offer_of(*tls_, client_)),
      deadline_(worker.reactor(), [this] { time_out(); }),
      refused_(refused) {
  deadline_.expires_at(worker.reactor().now() + worker.shared().config.auth.timeout);
}

void Handshake::on_events(pools::IoEvents events) {
  if (ended_) return;
  if (events.broken) return end();
  if (events.writable && client_.blocked() && !client_.flush()) return end();
  peer_closed_ = peer_closed_ || events.peer_closed;
  if (phase_ == Phase::look_up || phase_ == Phase::cancelling) {
    // Nobody is left to be told how the look-up ends.
    if (peer_closed_) end();
    return;
  }
  if (events.readable) read();
}

void Handshake::read() {
  std::array<char, 4096> block;
  while (!ended_ && phase_ != Phase::look_up && phase_ != Phase::cancelling) {
    if (phase_ == Phase::tls && !continue_tls()) return;
    if (ended_) return;
    const auto got = client_.receive(block.data(), block.size());
    if (got.would_block) return;
    if (got.closed) return end();
    spoken_ = true;
    input_.append(block.data(), got.bytes);
    std::string output;
    act(machine_.on_bytes(input_, output), output);
    // The handshake may have to speak first.
    if (phase_ == Phase::tls) continue;
    if (got.bytes < block.size() && !peer_closed_) return;
  }
}

bool Handshake::continue_tls() {
  const auto handshake = client_.continue_handshake();
  switch (handshake.status) {
    case pools::Socket::Handshake::Status::again:
      return false;
    case pools::Socket::Handshake::Status::failed:
      worker_.shared().events.tls_failed(peer_of(client_.descriptor()).text, handshake.text);
      end();
      return false;
    case pools::Socket::Handshake::Status::done:
      break;
  }
  phase_ = Phase::conversation;
  std::string output;
  act(machine_.on_tls(to_protocol(client_.tls_peer()), output), output);
  return true;
}

void Handshake::act(Progress progress, std::string& output, bool answered) {
  using Want = protocol::AcceptMachine::Want;
  for (;;) {
    input_.erase(0, progress.consumed);
    switch (progress.want) {
      case Want::more_bytes:
        if ((progress.consumed > 0 || answered) && !input_.empty()) {
          answered = false;
          progress = machine_.on_bytes(input_, output);
          continue;
        }
        if (!output.empty() && !client_.send(output)) end();
        return;
      case Want::start_tls:
        if (!output.empty() && !client_.send(output)) return end();
        phase_ = Phase::tls;
        client_.start_tls_server(tls_->for_clients, input_);
        input_.clear();
        return;
      case Want::secret: {
        const auto next = on_startup(output);
        if (!next) {
          phase_ = Phase::look_up;
          if (!output.empty() && !client_.send(output)) end();
          return;
        }
        progress = *next;
        answered = true;
        continue;
      }
      case Want::authenticated:
        if (!output.empty() && !client_.send(output)) return end();
        ended_ = true;
        deadline_.cancel();
        attempt_->succeeded(machine_.scram_keys());
        return worker_.begin_session(*this);
      case Want::cancel:
        return cancel();
      case Want::close:
        report_failure();
        if (!output.empty()) [[maybe_unused]]
          const bool told = client_.send(output);
        return end();
    }
  }
}

std::optional<Handshake::Progress> Handshake::on_startup(std::string& output) {
  constexpr Progress closed{.consumed = 0, .want = protocol::AcceptMachine::Want::close};
  if (refused_) {
    refuse(describe(Failure::too_many_clients,
                    "pool.max_client_connections = " +
                        std::to_string(worker_.shared().config.pool.max_client_connections)),
           output);
    return closed;
  }
  read_settings();
  ClientFacts facts;
  facts.peer = peer_of(client_.descriptor());
  facts.encrypted = machine_.tls_peer().has_value();
  facts.user = machine_.startup().user();
  facts.database = machine_.startup().database();
  if (facts.encrypted && machine_.tls_peer()->certificate) {
    facts.certificate = CertificateNames{machine_.tls_peer()->certificate->common_name,
                                         machine_.tls_peer()->certificate->subject_name};
  }
  attempt_.emplace(worker_.shared().authenticator, worker_.reactor());
  if (attempt_->begin(std::move(facts), [this] { on_known(); }) == LoginAttempt::Next::wait)
    return std::nullopt;
  return authenticate(output);
}

Handshake::Progress Handshake::authenticate(std::string& output) {
  if (attempt_->next() != LoginAttempt::Next::proceed) {
    refuse(attempt_->error(), output);
    return {.consumed = 0, .want = protocol::AcceptMachine::Want::close};
  }
  const std::string nonce = random_bytes(protocol::auth_nonce_length);
  const auto method = to_protocol(attempt_->method());
  return machine_.on_secret({.method = method,
                             .credential = attempt_->credential(),
                             .certificate_matches = method == protocol::AuthMethod::cert,
                             .nonce = nonce,
                             .process_secret = worker_.shared().authenticator.process_secret()},
                            output);
}

void Handshake::on_known() {
  if (ended_) return;
  phase_ = Phase::conversation;
  std::string output;
  act(authenticate(output), output, true);
  read();
}

/// As with PostgreSQL the connection is closed when the cancel has been delivered: a client that waits for
/// that can be sure that no later statement of its own is hit.
void Handshake::cancel() {
  const auto target = worker_.shared().cancels.find(machine_.cancel_key());
  if (!target) return end();
  phase_ = Phase::cancelling;
  CancelDone done(nullptr, [&reactor = worker_.reactor(), this, alive = std::weak_ptr(alive_)](void*) {
    reactor.post([this, alive] {
      if (!alive.expired()) end();
    });
  });
  worker_.shared().workers[target->worker]->cancel(target->serial, std::move(done));
}

void Handshake::report_failure() {
  if (!attempt_ || attempt_->next() != LoginAttempt::Next::proceed) return;
  const auto& code = machine_.refused_with();
  if (code == protocol::sqlstate::invalid_password) {
    attempt_->failed(AuthResult::wrong_secret);
  } else if (code == protocol::sqlstate::invalid_authorization_specification) {
    attempt_->failed(attempt_->method() == config::AuthMethod::cert ? AuthResult::certificate
                                                                    : AuthResult::wrong_secret);
  } else {
    attempt_->failed(AuthResult::broken_off);
  }
}

void Handshake::time_out() {
  if (ended_) return;
  worker_.counters().rejected(Limit::login_timeout).add();
  // As PostgreSQL we say nothing to somebody who has not said anything; within a TLS handshake nothing can be
  // said.
  if (spoken_ && phase_ != Phase::tls) {
    std::string output;
    refuse(limit_error(Limit::login_timeout, worker_.shared().config, {}), output);
    [[maybe_unused]] const bool told = client_.send(output);
  }
  end();
}

void Handshake::refuse(const ClientError& error, std::string& output) {
  machine_.refuse(error.code, error.message, error.detail.empty() ? error.hint : error.detail, output);
}

void Handshake::read_settings() {
  protocol::ParameterList wanted;
  const auto& parameters = machine_.startup().parameters;
  // `options` come first, wherever they stand (postinit.c, process_startup_options).
  for (const auto& [name, value] : parameters) {
    if (lower(name) != "options") continue;
    auto options = protocol::parse_options(value);
    if (!options.error.empty()) {
      settings_error_ = {options.code, std::move(options.error), {}, std::move(options.hint)};
      return;
    }
    for (const auto& [option, setting] : options.settings)
      protocol::set_parameter(wanted, lower(option), setting);
  }
  for (const auto& [name, value] : parameters) {
    const std::string key = lower(name);
    if (key != "user" && key != "database" && key != "options") protocol::set_parameter(wanted, key, value);
  }
  pools::SessionSettings settings;
  for (auto& [name, value] : wanted) {
    if (name.starts_with(kOwnParameters)) {
      if (auto error = take_own_parameter(std::string_view(name).substr(kOwnParameters.size()), value)) {
        settings_error_ = std::move(error);
        return;
      }
      continue;
    }
    if (!pools::is_parameter_name(name)) {
      settings_error_ = describe_bad_parameter(name);
      return;
    }
    settings.values.emplace_back(name, std::move(value));
  }
  std::sort(settings.values.begin(), settings.values.end());
  settings_ = worker_.settings().intern(std::move(settings));
}

/// A parameter of ours, behind its prefix; returns what is wrong with it.
std::optional<ClientError> Handshake::take_own_parameter(std::string_view name, std::string_view value) {
  if (name == "token") {
    const auto token = routing::parse_position_token(value);
    if (const auto* fault = std::get_if<routing::TokenFault>(&token))
      return describe_bad_token(routing::to_string(*fault));
    token_ = std::get<routing::WalPosition>(token);
    return std::nullopt;
  }
  if (!TidemarkSettings::is_name(name)) return describe(Failure::unknown_parameter, name);
  if (tidemark_ == nullptr) tidemark_ = std::make_unique<TidemarkSettings>();
  const auto mistake = tidemark_->set_at_startup(name, value);
  if (!mistake.empty()) return describe_bad_value(name, value, mistake);
  return std::nullopt;
}

SessionStart Handshake::finish() {
  SessionStart start;
  start.client = std::move(client_);
  start.input = std::move(input_);
  start.group = &worker_.group(machine_.startup().database(), machine_.startup().user());
  if (settings_ == nullptr) settings_ = worker_.settings().none();
  start.settings = std::move(settings_);
  start.error = std::move(settings_error_);
  start.tidemark = std::move(tidemark_);
  start.token = token_;
  start.cancel_key_length = protocol::cancel_key_length(machine_.protocol_version());
  return start;
}

bool Handshake::is_for_admin() const {
  return machine_.startup().database() == kAdminDatabase;
}

AdminStart Handshake::finish_for_admin() {
  AdminStart start;
  start.client = std::move(client_);
  start.input = std::move(input_);
  start.user = machine_.startup().user();
  start.cancel_key_length = protocol::cancel_key_length(machine_.protocol_version());
  return start;
}

void Handshake::shut_down() {
  if (ended_) return;
  if (phase_ != Phase::tls) {
    std::string output;
    refuse(describe(Failure::shutting_down), output);
    [[maybe_unused]] const bool told = client_.send(output);
  }
  end();
}

void Handshake::end() {
  if (ended_) return;
  ended_ = true;
  deadline_.cancel();
  if (phase_ == Phase::look_up) attempt_.reset();  // the answer would come to nobody
  worker_.reactor().remove(client_.descriptor(), *this);
  client_.close();
  worker_.close_handshake(*this);
}

}  // namespace tidemark::proxy
