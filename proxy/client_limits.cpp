#include "proxy/client_limits.hpp"

namespace tidemark::proxy {

ClientLimits::Refusal ClientLimits::admit(std::string_view user, std::string_view database) {
  if (per_user_ == 0 && per_database_ == 0) return Refusal::none;
  std::lock_guard lock(mutex_);
  if (per_user_ != 0) {
    const auto found = users_.find(user);
    if (found != users_.end() && found->second >= per_user_) return Refusal::user;
  }
  if (per_database_ != 0) {
    const auto found = databases_.find(database);
    if (found != databases_.end() && found->second >= per_database_) return Refusal::database;
  }
  ++users_[std::string(user)];
  ++databases_[std::string(database)];
  return Refusal::none;
}

void ClientLimits::release(std::string_view user, std::string_view database) {
  if (per_user_ == 0 && per_database_ == 0) return;
  std::lock_guard lock(mutex_);
  subtract(users_, user);
  subtract(databases_, database);
}

void ClientLimits::subtract(Counts& counts, std::string_view name) {
  const auto found = counts.find(name);
  if (found != counts.end() && --found->second == 0) counts.erase(found);
}

}  // namespace tidemark::proxy
