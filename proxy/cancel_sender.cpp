#include "proxy/cancel_sender.hpp"

#include <array>

#include "proxy/worker.hpp"

namespace tidemark::proxy {

void CancelSender::start(Worker& worker, pools::ServerConnection& server) {
  if (!server.cancel_key()) return;
  worker.keep(std::unique_ptr<CancelSender>(new CancelSender(worker, server)));
}

CancelSender::CancelSender(Worker& worker, pools::ServerConnection& server)
    : worker_(worker),
      socket_(pools::start_connect(server.address())),
      deadline_(worker.reactor(), [this] { end(); }) {
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
  if (!ended_) --*under_way_;
  if (socket_.is_open()) worker_.reactor().remove(socket_.descriptor(), *this);
}

void CancelSender::on_events(pools::IoEvents events) {
  if (ended_) return;
  if (events.broken) return end();
  if (events.writable && !sent_) {
    sent_ = true;
    if (pools::connect_error(socket_) != 0 || !socket_.send(request_)) return end();
  }
  if (!events.readable || !sent_) return;
  std::array<char, 64> ignored;
  if (socket_.receive(ignored.data(), ignored.size()).closed) end();
}

void CancelSender::end() {
  if (ended_) return;
  ended_ = true;
  deadline_.cancel();
  --*under_way_;
  if (socket_.is_open()) worker_.reactor().remove(socket_.descriptor(), *this);
  socket_.close();
  worker_.forget(*this);
}

}  // namespace tidemark::proxy
