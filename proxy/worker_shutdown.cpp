#include "proxy/admin_session.hpp"
#include "proxy/handshake.hpp"
#include "proxy/redis_marks.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

void Worker::drain(pools::Reactor::TimePoint deadline) {
  reactor_.post([this, deadline] { begin_drain(deadline); });
}

void Worker::begin_drain(pools::Reactor::TimePoint deadline) {
  if (draining_) return;
  draining_ = true;
  if (listening_) stop_listening();
  std::vector<Handshake*> handshakes;
  for (auto& [key, handshake] : handshakes_) handshakes.push_back(key);
  for (Handshake* handshake : handshakes) handshake->shut_down();
  drain_end_.expires_at(deadline);
}

void Worker::end_if_drained() {
  std::vector<Session*> open;
  for (auto& [serial, session] : sessions_) open.push_back(session.get());
  for (Session* session : open) session->shut_down(false);
  while (!admins_.empty()) admins_.begin()->second->shut_down();
  // What is not told now the other proxies doubt for as long as it is remembered.
  const bool told = redis_ == nullptr || redis_->has_told();
  if (sessions_.empty() && handshakes_.empty() && told) reactor_.stop();
}

}  // namespace tidemark::proxy
