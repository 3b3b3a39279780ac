#include "proxy/unit_route.hpp"

namespace tidemark::proxy {

std::string describe_level(routing::ConsistencyLevel level, LevelSource source, const std::string* rule) {
  std::string text(routing::to_string(level));
  switch (source) {
    case LevelSource::hint:
      return text + " (hint)";
    case LevelSource::set:
      return text + " (tidemark.consistency)";
    case LevelSource::rule:
      return text + " (rule \"" + (rule != nullptr ? *rule : std::string()) + "\")";
    case LevelSource::standard:
      return text + " (routing.consistency)";
    case LevelSource::redis_gone:
      return text + " (the marks in Redis cannot be had)";
  }
  return text;
}

std::string describe_route(const LastRoute& route, const routing::ClusterView& view) {
  if (!route.known) return "nothing has been sent to a server yet";
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(route.waited).count();
  std::string text = route.is_read ? "read at " : "write at ";
  text += view.node(route.node).name + ": " + std::string(routing::to_string(route.reason));
  if (route.is_read) text += ", level " + describe_level(route.level, route.source, route.rule);
  return text + ", sent after " + std::to_string(us / 1000) + "." + std::to_string(us % 1000 / 100) + " ms";
}

}  // namespace tidemark::proxy
