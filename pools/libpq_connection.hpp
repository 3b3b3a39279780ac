#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pools/callback_guard.hpp"
#include "pools/tls_settings.hpp"

// libpq's own struct tags; its header is included in the .cpp only.
struct pg_conn;
struct pg_result;

namespace tidemark::pools {

/// Where and as whom to connect.
struct LibpqTarget {
  std::string host;  ///< numeric address, or absolute path of a Unix socket's directory; never a name
  std::uint16_t port = 0;
  std::string user;
  std::optional<std::string> password;  ///< secret
  std::string database;
  std::string application_name;
  std::chrono::milliseconds statement_timeout{1000};
  std::string host_name{};  ///< the host as the operator wrote it: what its certificate must name
  ServerTlsSettings tls{};
};

/// Rows of an answer. Valid during the callback that brings it.
class LibpqResult {
 public:
  explicit LibpqResult(const pg_result* result) : result_(result) {}
  [[nodiscard]] int rows() const;
  [[nodiscard]] int columns() const;
  /// nullopt for NULL and for what is out of range. Binary or text, as it was asked for.
  [[nodiscard]] std::optional<std::string_view> value(int row, int column) const;

 private:
  const pg_result* result_;
};

/// Told what becomes of a LibpqConnection. Called on the monitor's thread, last thing in a handler, so that
/// it may use or close the connection.
class LibpqClient {
 public:
  virtual void on_connected() = 0;
  virtual void on_result(const LibpqResult& result) = 0;
  /// The server refused the query with an error; the connection can go on.
  virtual void on_refused(std::string_view why) = 0;
  /// Connecting failed, the connection broke (also while idle), or an answer was overdue; it is closed.
  virtual void on_lost(std::string_view why) = 0;

 protected:
  ~LibpqClient() = default;
};

/// One libpq connection on an io_context; never blocks. Can be connected again after it was lost or closed.
/// All members on the monitor's thread only. Manual: "Asynchronous Command Processing".
class LibpqConnection {
 public:
  using Clock = std::chrono::steady_clock;

  LibpqConnection(boost::asio::io_context& io, CallbackGuard& guard, LibpqClient& client);
  ~LibpqConnection();
  LibpqConnection(const LibpqConnection&) = delete;
  LibpqConnection& operator=(const LibpqConnection&) = delete;

  /// Ends in on_connected or on_lost, within `time_limit`; a failure at once comes as a callback too.
  void connect(const LibpqTarget& target, Clock::duration time_limit);
  /// One Query message; of several statements' results the last one counts. Text format.
  void query(const char* sql, Clock::duration time_limit);
  /// One statement with values for $1 and on, in text format.
  void query(const char* sql, std::span<const std::string> values, Clock::duration time_limit);
  /// Executes a prepared statement without parameters. Binary format.
  void execute(const char* statement, Clock::duration time_limit);
  /// Closes silently: no callback follows.
  void close();

 private:
  enum class Phase : std::uint8_t { closed, connecting, idle, busy };

  void poll_connect();
  void wait_connect(bool for_write);
  void sent(int accepted, Clock::duration time_limit);
  void flush();
  void wait_readable();
  void readable();
  void lose(const std::string& why);
  void set_deadline(Clock::duration time_limit);
  void wait_deadline();
  [[nodiscard]] std::string error_text() const;
  template <class Function>
  [[nodiscard]] auto guarded(Function function);
  static void keep_notice(void* self, const char* message);

  CallbackGuard& guard_;
  LibpqClient& client_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer timer_;
  pg_conn* connection_ = nullptr;
  pg_result* result_ = nullptr;  // of the query under way
  Phase phase_ = Phase::closed;
  std::uint64_t epoch_ = 0;  // handlers of an earlier connection do nothing
  bool timer_armed_ = false;
  Clock::time_point deadline_{};
  std::string notice_;  // the server's last words, such as why it terminates the connection
};

/// An error text in one line.
[[nodiscard]] std::string one_line(std::string_view text);

}  // namespace tidemark::pools
