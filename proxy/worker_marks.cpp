#include "proxy/redis_marks.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

/// If proxies share the marks of users.
void Worker::share_marks() {
  if (shared_.redis == nullptr) return;
  redis_ = std::make_unique<RedisMarks>(reactor_, *shared_.redis, shared_.marks, shared_.monitor,
                                        [this](const RedisMarks::Asker& asker, bool ok) {
                                          if (const auto found = sessions_.find(asker.serial);
                                              found != sessions_.end())
                                            found->second->on_marks(asker.ticket, ok);
                                        });
}

}  // namespace tidemark::proxy
