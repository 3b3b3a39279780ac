#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "pools/session_settings.hpp"
#include "pools/socket.hpp"
#include "protocol/startup_messages.hpp"
#include "proxy/error_mapping.hpp"
#include "proxy/tidemark_settings.hpp"
#include "routing/wal_position.hpp"

namespace tidemark::proxy {

struct PoolGroup;

/// What a new session begins with, once its client is authenticated.
struct SessionStart {
  pools::Socket client;
  std::string input;  ///< bytes that came behind the login
  PoolGroup* group = nullptr;
  pools::SettingsPointer settings;
  std::uint64_t serial = 0;
  std::size_t cancel_key_length = protocol::min_cancel_key_length;
  std::unique_ptr<TidemarkSettings> tidemark;  ///< null: nothing is asked for
  std::optional<routing::WalPosition> token;   ///< a floor that the client brings along
  std::optional<ClientError> error;            ///< what it has to be refused with instead
};

}  // namespace tidemark::proxy
