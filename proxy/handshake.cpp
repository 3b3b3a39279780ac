#include "proxy/handshake.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "proxy/session.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

namespace {

/// As PostgreSQL's authentication_timeout.
constexpr std::chrono::seconds kLoginTimeout{60};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

Handshake::Handshake(Worker& worker, pools::Socket client, bool refused)
    : worker_(worker),
      client_(std::move(client)),
      deadline_(worker.reactor(), [this] { end(); }),
      refused_(refused) {
  deadline_.expires_at(worker.reactor().now() + kLoginTimeout);
}

void Handshake::on_events(pools::IoEvents events) {
  if (ended_) return;
  if (events.broken) return end();
  if (events.writable && client_.blocked() && !client_.flush()) return end();
  if (!events.readable) return;
  std::array<char, 4096> block;
  for (;;) {
    const auto got = client_.receive(block.data(), block.size());
    if (got.would_block) return;
    if (got.closed) return end();
    input_.append(block.data(), got.bytes);
    advance();
    if (ended_ || (got.bytes < block.size() && !events.peer_closed)) return;
  }
}

void Handshake::advance() {
  using Want = protocol::AcceptMachine::Want;
  std::string output;
  for (;;) {
    auto progress = machine_.on_bytes(input_, output);
    input_.erase(0, progress.consumed);
    if (progress.want == Want::secret) {
      const auto& authenticator = worker_.shared().authenticator;
      if (refused_) {
        refuse(describe(Failure::too_many_clients,
                        "pool.max_client_connections = " +
                            std::to_string(worker_.shared().config.pool.max_client_connections)),
               output);
        progress.want = Want::close;
      } else if (!read_settings(output)) {
        progress.want = Want::close;
      } else {
        progress =
            machine_.on_secret(authenticator.method(), authenticator.for_clients(machine_.startup().user()),
                               random_bytes(18), authenticator.process_secret(), output);
      }
    }
    switch (progress.want) {
      case Want::more_bytes:
        if (progress.consumed > 0 && !input_.empty()) continue;
        if (!output.empty() && !client_.send(output)) end();
        return;
      case Want::secret:
        continue;
      case Want::authenticated:
        if (!output.empty() && !client_.send(output)) return end();
        ended_ = true;
        deadline_.cancel();
        return worker_.begin_session(*this);
      case Want::cancel:
        if (const auto target = worker_.shared().cancels.find(machine_.cancel_key())) {
          worker_.shared().workers[target->worker]->cancel(target->serial);
        }
        return end();
      case Want::close:
        if (!output.empty()) [[maybe_unused]]
          const bool told = client_.send(output);
        return end();
    }
  }
}

void Handshake::refuse(const ClientError& error, std::string& output) {
  machine_.refuse(error.code, error.message, error.detail.empty() ? error.hint : error.detail, output);
}

bool Handshake::read_settings(std::string& output) {
  pools::SessionSettings settings;
  protocol::ParameterList wanted;
  for (const auto& [name, value] : machine_.startup().parameters) {
    const std::string key = lower(name);
    if (key == "user" || key == "database") continue;
    if (key == "options") {
      const auto options = protocol::parse_options(value);
      if (!options.error.empty()) {
        refuse({protocol::sqlstate::syntax_error, options.error, {}, {}}, output);
        return false;
      }
      for (const auto& [option, setting] : options.settings)
        protocol::set_parameter(wanted, lower(option), setting);
      continue;
    }
    protocol::set_parameter(wanted, key, value);
  }
  for (auto& [name, value] : wanted) {
    if (!pools::is_parameter_name(name)) {
      refuse({protocol::Sqlstate{"42704"}, "unrecognized configuration parameter \"" + name + "\"", {}, {}},
             output);
      return false;
    }
    settings.values.emplace_back(name, std::move(value));
  }
  std::sort(settings.values.begin(), settings.values.end());
  settings_ = worker_.settings().intern(std::move(settings));
  return true;
}

SessionStart Handshake::finish() {
  SessionStart start;
  start.client = std::move(client_);
  start.input = std::move(input_);
  start.group =
      &worker_.group(machine_.startup().database(), machine_.startup().user(), machine_.scram_keys());
  start.settings = std::move(settings_);
  return start;
}

void Handshake::shut_down() {
  if (ended_) return;
  std::string output;
  refuse(describe(Failure::shutting_down), output);
  [[maybe_unused]] const bool told = client_.send(output);
  end();
}

void Handshake::end() {
  if (ended_) return;
  ended_ = true;
  deadline_.cancel();
  worker_.reactor().remove(client_.descriptor(), *this);
  client_.close();
  worker_.close_handshake(*this);
}

}  // namespace tidemark::proxy
