#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/login_machine.hpp"
#include "tests/soak/answer.hpp"
#include "tests/soak/loop.hpp"
#include "tests/soak/random.hpp"
#include "tests/soak/task.hpp"

namespace tidemark::soak {

/// How a client goes away.
enum class Farewell : unsigned char {
  terminate,  ///< Terminate, then close
  close,      ///< close without a word
  reset,      ///< the same, and what is on its way is dropped (RST)
};

struct Notification {
  std::string channel;
  std::string payload;
};

/// One client connection in the bare protocol. Every message that comes is looked through for the marks of
/// others. Waits end at `patience` with Stuck; a lost connection is Lost.
class Connection {
 public:
  Connection(Loop& loop, Random& random, std::string mark)
      : loop_(loop), random_(random), mark_(std::move(mark)) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { leave(Farewell::reset); }

  static constexpr std::string_view mark_begins = "tk-";

  /// `receive_buffer`: bytes, 0 for the system's choice.
  Task<> open(std::uint16_t port, int receive_buffer = 0);
  Task<> login(protocol::LoginRequest request, protocol::Credential credential,
               std::optional<protocol::ScramKeys> keys);

  /// What will be sent by the next flush().
  std::string& output() { return output_; }
  /// Sends it all. Takes in what comes meanwhile, so that both sides may send at once.
  Task<> flush();
  /// The next message that is neither ParameterStatus nor NotificationResponse nor a notice of the queue.
  Task<Message> next();
  /// All messages up to ReadyForQuery.
  Task<Answer> answer();
  /// Returns when there is a notification, or something else that has not been asked for.
  Task<> notified();
  /// Waits for the other side to close.
  Task<> closed();
  /// Reads from the socket in small pieces, with a pause before each, until told otherwise.
  void read_slowly(std::chrono::milliseconds pause) { slowness_ = pause; }

  /// The client is to vanish at the n-th step (a send or a wait) from now.
  void light_fuse(int steps) { fuse_ = steps; }
  void put_out_fuse() { fuse_ = 0; }

  void leave(Farewell farewell);
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

  [[nodiscard]] const std::optional<protocol::CancelKey>& cancel_key() const { return cancel_key_; }
  [[nodiscard]] const std::optional<protocol::ScramKeys>& scram_keys() const { return scram_keys_; }
  [[nodiscard]] const std::map<std::string, std::string>& parameters() const { return parameters_; }
  [[nodiscard]] std::vector<Notification>& notifications() { return notifications_; }

  /// Notices of 53300: the proxy says that we wait for long. They may come before any message.
  [[nodiscard]] std::uint64_t queue_notices() const { return queue_notices_; }
  /// Longest wait for the other side so far.
  [[nodiscard]] Clock::duration longest_wait() const { return longest_wait_; }

  void set_patience(std::chrono::seconds patience) { patience_ = patience; }

 private:
  std::optional<Message> buffered();
  bool keep_aside(const Message& message);
  void inspect(const Message& message) const;
  Task<> more();
  bool receive();
  bool burn();

  Loop& loop_;
  Random& random_;
  std::string mark_;
  int descriptor_ = -1;
  std::string output_;
  std::string input_;
  std::size_t taken_ = 0;
  int fuse_ = 0;
  std::chrono::milliseconds slowness_{0};
  std::chrono::seconds patience_{60};
  Clock::duration longest_wait_{};
  std::uint64_t queue_notices_ = 0;
  std::string last_error_;
  std::optional<protocol::CancelKey> cancel_key_;
  std::optional<protocol::ScramKeys> scram_keys_;
  std::map<std::string, std::string> parameters_;
  std::vector<Notification> notifications_;
};

}  // namespace tidemark::soak
