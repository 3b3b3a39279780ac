#include "pools/server_connection.hpp"

#include <array>
#include <cstring>
#include <utility>

namespace tidemark::pools {

ServerConnection::~ServerConnection() {
  close();
}

void ServerConnection::open(Reactor& reactor, const SocketAddress& address,
                            std::unique_ptr<protocol::LoginMachine> login,
                            std::shared_ptr<const TlsContext> tls, LoginObserver& observer,
                            Reactor::TimePoint deadline) {
  reactor_ = &reactor;
  opened_at_ = Reactor::Clock::now();
  address_ = address;
  login_ = std::move(login);
  tls_ = std::move(tls);
  observer_ = &observer;
  state_ = State::connecting;
  deadline_ = std::make_unique<Reactor::Timer>(reactor, [this] {
    fail(socket.is_open() ? "no answer within the connect timeout" : "cannot connect");
  });
  socket = start_connect(address);
  watched_ = socket.is_open() && reactor.add(socket.descriptor(), *this);
  // A refusal is told from the next turn on, never from within this call.
  deadline_->expires_at(watched_ ? deadline : reactor.now());
  if (!watched_) socket.close();
}

void ServerConnection::note_parameter(std::string_view name, std::string_view value) {
  if (name == "in_hot_standby") in_hot_standby_ = value == "on";
  protocol::set_parameter(parameters_, name, value);
}

void ServerConnection::lease(ServerHolder& holder) {
  holder_ = &holder;
  state_ = State::leased;
}

void ServerConnection::make_idle(ServerHolder& pool) {
  holder_ = &pool;
  state_ = State::idle;
  idle_since_ = reactor_->now();
}

void ServerConnection::detach() {
  if (watched_) reactor_->remove(socket.descriptor(), *this);
  watched_ = false;
  reactor_ = nullptr;
}

bool ServerConnection::attach(Reactor& reactor, ServerHolder& holder) {
  reactor_ = &reactor;
  holder_ = &holder;
  watched_ = reactor.add(socket.descriptor(), *this);
  return watched_;
}

void ServerConnection::close() {
  if (watched_) reactor_->remove(socket.descriptor(), *this);
  watched_ = false;
  socket.close();
  if (deadline_) deadline_->cancel();  // not destroyed: its callback may be what closes
  pipeline.clear();
  state_ = State::closed;
}

void ServerConnection::on_events(IoEvents events) {
  switch (state_) {
    case State::connecting:
      if (events.writable || events.broken) on_connected();
      break;
    case State::login:
      if (events.writable && !socket.flush()) return fail("the connection broke during login");
      if (events.readable) in_tls_handshake_ ? continue_tls() : read_login();
      break;
    case State::idle:
      // Only TLS can have said something here: a leased connection that is blocked is not given back.
      if (events.writable && socket.blocked() && !socket.flush()) events.broken = true;
      [[fallthrough]];
    case State::leased:
      if (events.readable) readable = true;
      if (events.peer_closed || events.broken) ended = true;
      holder_->on_server_events(*this, events);
      break;
    case State::closed:
      break;
  }
}

void ServerConnection::on_connected() {
  if (const int error = connect_error(socket); error != 0)
    return fail(std::string("cannot connect: ") + std::strerror(error));
  state_ = State::login;
  std::string output;
  login_->start(output);
  if (!socket.send(output)) fail("the connection broke during login");
}

void ServerConnection::read_login() {
  std::array<char, 8192> block;
  for (;;) {
    const auto got = socket.receive(block.data(), block.size());
    if (got.would_block) return;
    if (got.closed) return fail("the server closed the connection during login");
    partial.append(block.data(), got.bytes);
    std::string output;
    const auto progress = login_->on_bytes(partial, output);
    partial.erase(0, progress.consumed);
    if (!output.empty() && !socket.send(output)) return fail("the connection broke during login");
    if (progress.status == protocol::LoginMachine::Status::failed) return fail(login_->failure());
    if (progress.status == protocol::LoginMachine::Status::start_tls) return start_tls();
    if (progress.status == protocol::LoginMachine::Status::ready) return ready();
    // On until nothing is there: the end of the stream may have come with these bytes, in one edge.
  }
}

void ServerConnection::start_tls() {
  // What came in the clear behind the answer to SSLRequest could have been put there by anybody.
  if (!partial.empty() || !tls_) return fail("the server sent data in the clear before the TLS handshake");
  socket.start_tls_client(tls_, address_.name);
  in_tls_handshake_ = true;
  continue_tls();
}

void ServerConnection::continue_tls() {
  const auto handshake = socket.continue_handshake();
  if (handshake.status == Socket::Handshake::Status::again) return;
  if (handshake.status == Socket::Handshake::Status::failed)
    return fail("no TLS connection to the server: " + handshake.text);
  in_tls_handshake_ = false;
  tls_.reset();
  std::string output;
  login_->on_tls(socket.tls_peer().server_end_point, output);
  if (!socket.send(output)) return fail("the connection broke during login");
  read_login();
}

void ServerConnection::ready() {
  if (!partial.empty()) return fail("the server sent more than its login answer");
  // Whatever came in the same edge is told by no other one.
  char byte = 0;
  const auto more = socket.receive(&byte, 1);
  if (more.closed) return fail("the server closed the connection during login");
  if (!more.would_block) return fail("the server sent more than its login answer");
  parameters_ = login_->parameter_statuses();
  cancel_key_ = login_->cancel_key();
  scram_keys_ = login_->scram_keys();
  if (const auto* standby = protocol::find_parameter(parameters_, "in_hot_standby"))
    in_hot_standby_ = *standby == "on";
  login_.reset();
  tls_.reset();
  deadline_.reset();
  partial.shrink_to_fit();
  established_at_ = Reactor::Clock::now();
  state_ = State::idle;
  observer_->on_login_ready(*this);
}

void ServerConnection::fail(std::string text) {
  protocol::LoginFailure failure;
  failure.text = std::move(text);
  failure.code = protocol::Sqlstate{"08006"};
  fail(failure);
}

void ServerConnection::fail(const protocol::LoginFailure& failure) {
  LoginObserver* observer = observer_;
  close();
  observer->on_login_failed(*this, failure);
}

}  // namespace tidemark::pools
