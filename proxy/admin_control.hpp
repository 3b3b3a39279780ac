#pragma once

#include <functional>
#include <vector>

#include "config/settings_list.hpp"
#include "pools/replication_health.hpp"
#include "pools/snapshot.hpp"
#include "proxy/reloader.hpp"

namespace tidemark::proxy {

/// What the admin console asks of the control thread, or sees of it. Set before the workers run; (any thread)
/// from then on. The answer is called on the control thread, or never if the process ends first.
struct AdminControl {
  std::function<void(std::function<void(const Reloader::Outcome&)> answer)> reload;
  std::function<void(std::function<void(const std::vector<config::SettingLine>&)> answer)> settings;
  const pools::Snapshot<pools::ReplicationHealth>* replication = nullptr;
};

}  // namespace tidemark::proxy
