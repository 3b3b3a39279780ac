#include <algorithm>
#include <utility>

#include "proxy/admin_session.hpp"
#include "proxy/handshake.hpp"
#include "proxy/peer_address.hpp"
#include "proxy/server_cleaner.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

void Worker::begin_admin(Handshake& handshake) {
  AdminStart start = handshake.finish_for_admin();
  start.serial = next_serial_++;
  const int descriptor = start.client.descriptor();
  auto session = std::make_unique<AdminSession>(*this, std::move(start));
  AdminSession& begun = *session;
  const bool watched = reactor_.rebind(descriptor, handshake, begun);
  const auto place = handshakes_.find(&handshake);
  dead_handshakes_.push_back(std::move(place->second));
  handshakes_.erase(place);
  admins_.emplace(begun.serial(), std::move(session));
  if (!watched) return close_admin(begun);
  begun.begin();
}

void Worker::close_admin(AdminSession& session) {
  const auto place = admins_.find(session.serial());
  if (place == admins_.end()) return;
  dead_admins_.push_back(std::move(place->second));
  admins_.erase(place);
  client_ended(true);
}

void Worker::tell_status(Detail detail, std::function<void(WorkerStatus)> answer) {
  reactor_.post([this, detail, answer = std::move(answer)] { answer(status(detail)); });
}

WorkerStatus Worker::status(Detail detail) const {
  WorkerStatus status;
  status.worker = number_;
  status.generation = view_->generation;
  status.cleaning = cleaners_.size();
  for (const auto& [serial, session] : sessions_) {
    if (detail == Detail::holders && session->server() == nullptr) continue;
    WorkerStatus::Client client{session->figures(), {}};
    if (detail == Detail::all) client.address = peer_of(client.figures.descriptor).text;
    status.clients.push_back(std::move(client));
  }
  if (detail != Detail::all) return status;
  const auto now = reactor_.now();
  for (const auto& [key, group] : groups_) {
    for (const auto& pool : group->pools) {
      if (pool->open() == 0 && pool->waiting() == 0) continue;
      WorkerStatus::Pool figures{pool->key(),     pool->open() - pool->idle() - pool->connecting(),
                                 pool->idle(),    pool->connecting(),
                                 pool->waiting(), {}};
      for (const auto& client : status.clients) {
        const auto& waits = client.figures;
        if (waits.awaited == pool->key().node && waits.database == group->database &&
            waits.user == group->user)
          figures.oldest_wait = std::max(figures.oldest_wait, waits.waited);
      }
      status.pools.push_back(std::move(figures));
      pool->for_each([&](const pools::ServerConnection& server) {
        WorkerStatus::Server told{pool->key(), server.state(), 0, {}, {}};
        if (server.cancel_key()) {
          told.process_id = server.cancel_key()->process_id;
          told.age = now - server.established_at();
          told.idle = now - server.idle_since();
        }
        status.servers.push_back(std::move(told));
      });
    }
  }
  return status;
}

}  // namespace tidemark::proxy
