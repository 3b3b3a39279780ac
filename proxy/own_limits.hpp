#pragma once

#include <chrono>
#include <string_view>

#include "pools/pool_settings.hpp"
#include "pools/session_settings.hpp"

namespace tidemark::proxy {

/// A time as a server setting has it: a number, by itself in milliseconds, or with one of PostgreSQL's units
/// (us, ms, s, min, h, d) behind it. Zero for what is none.
[[nodiscard]] std::chrono::nanoseconds parse_time_setting(std::string_view text);

/// For how long a session has asked to be left alone, by its own idle_session_timeout and
/// idle_in_transaction_session_timeout. A server enforces them on what runs on its connection; while the
/// session has none, or one that will be another's, nobody else does. All other limits are left out.
[[nodiscard]] pools::PoolSettings own_idle_limits(const pools::SessionSettings& settings);

}  // namespace tidemark::proxy
