#include "proxy/cancel_sender.hpp"

#include <array>
#include <utility>

#include "proxy/worker.hpp"

namespace tidemark::proxy {

void CancelSender::start(Worker& worker, pools::ServerConnection& server, CancelDone done) {
  if (!server.cancel_key()) return;
  worker.keep(std::unique_ptr<CancelSender>(new CancelSender(worker, server, std::move(done))));
}

CancelSender::CancelSender(Worker& worker, pools::ServerConnection& server, CancelDone done)
    : worker_(worker),
      host_name_(server.address().name),
      socket_(pools::start_connect(server.address())),
      deadline_(worker.reactor(), [this] { end(); }),
      done_(std::move(done)) {
  if (server.socket.is_tls()) tls_ = worker.tls();
  // A reload may have turned encryption off since the connection was made.
  if (tls_ && !tls_->for_servers) tls_.reset();
  protocol::append_cancel_request(request_, *server.cancel_key());
  if (!server.cancels) server.cancels = std::make_shared<std::uint32_t>(0);
  under_way_ = server.cancels;
  ++*under_way_;
  const bool watched = socket_.is_open() && worker.reactor().add(socket_.descriptor(), *this);
  if (!watched) socket_.close();
  deadline_.expires_at(worker.reactor().now() +
                       (watched ? worker.shared().config.pool.connect_timeout : std::chrono::nanoseconds(0)));
}

CancelSender::~CancelSender() {
  if (state_ != State::ended) --*under_way_;
  if (socket_.is_open()) worker_.reactor().remove(socket_.descriptor(), *this);
}

void CancelSender::on_events(pools::IoEvents events) {
  if (state_ == State::ended) return;
  if (events.broken) return end();
  if (events.writable && state_ == State::connecting) return on_connected();
  if (events.writable && socket_.blocked() && !socket_.flush()) return end();
  if (!events.readable) return;
  switch (state_) {
    case State::ssl_answer:
      return on_ssl_answer();
    case State::tls_handshake:
      return continue_tls();
    case State::sent:
      return wait_for_end();
    case State::connecting:
    case State::ended:
      return;
  }
}

void CancelSender::on_connected() {
  if (pools::connect_error(socket_) != 0) return end();
  if (!tls_) return send_request();
  std::string question;
  protocol::append_ssl_request(question);
  state_ = State::ssl_answer;
  if (!socket_.send(question)) end();
}

void CancelSender::on_ssl_answer() {
  // One byte more than may come: what is in the clear behind it could have been put there by anybody.
  std::array<char, 2> answer;
  const auto got = socket_.receive(answer.data(), answer.size());
  if (got.would_block) return;
  if (got.closed || got.bytes != 1) return end();
  if (answer[0] == 'N' && tls_->servers.mode == protocol::SslMode::prefer) return send_request();
  if (answer[0] != 'S') return end();
  socket_.start_tls_client(tls_->for_servers, host_name_);
  state_ = State::tls_handshake;
  continue_tls();
}

void CancelSender::continue_tls() {
  using Status = pools::Socket::Handshake::Status;
  const auto handshake = socket_.continue_handshake();
  if (handshake.status == Status::done) return send_request();
  if (handshake.status == Status::failed) end();
}

void CancelSender::send_request() {
  state_ = State::sent;
  if (!socket_.send(request_)) return end();
  wait_for_end();
}

void CancelSender::wait_for_end() {
  std::array<char, 64> ignored;
  if (socket_.receive(ignored.data(), ignored.size()).closed) end();
}

void CancelSender::end() {
  if (state_ == State::ended) return;
  state_ = State::ended;
  deadline_.cancel();
  --*under_way_;
  done_.reset();
  if (socket_.is_open()) worker_.reactor().remove(socket_.descriptor(), *this);
  socket_.close();
  worker_.forget(*this);
}

}  // namespace tidemark::proxy
