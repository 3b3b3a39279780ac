#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "pools/reactor.hpp"

struct redisAsyncContext;  // NOLINT(readability-identifier-naming): of hiredis

namespace tidemark::proxy {

/// One answer of Redis.
struct RedisValue {
  enum class Kind : std::uint8_t { nil, text, integer, list, error };
  Kind kind = Kind::nil;
  std::string text;  ///< also of an error
  std::int64_t integer = 0;
  std::vector<RedisValue> items;
};

/// A connection to Redis on a worker's reactor: hiredis' asynchronous API behind an adapter of our own. It
/// logs in, chooses the database, has the scripts loaded, and is made anew when it is lost. Everything on the
/// reactor's thread; no callback is called from within command().
class RedisConnection final : public pools::EventHandler {
 public:
  /// The answer; null when the connection was lost before it came: it may have been carried out.
  using Done = std::function<void(const RedisValue*)>;
  struct Hooks {
    std::function<std::string()> address;  ///< numeric; empty: not known yet
    std::function<void()> found;
    std::function<void(bool was_up, std::string_view why)> lost;  ///< or could not be made
  };

  /// `scripts` are known to Redis by number, in this order.
  RedisConnection(pools::Reactor& reactor, const config::MarksSettings& settings,
                  std::vector<std::string_view> scripts, Hooks hooks);
  /// No callback is called any more.
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  [[nodiscard]] bool is_up() const { return up_; }
  /// Everything is answered.
  [[nodiscard]] bool is_idle() const { return waiting_.empty(); }
  /// Runs a script: so many `keys` of `arguments` are keys. Only while up. False: it could not be
  /// sent, and `done` is not called.
  [[nodiscard]] bool run(std::size_t script, std::size_t keys, const std::vector<std::string>& arguments,
                         Done done);

  void on_events(pools::IoEvents events) override;

 private:
  friend struct RedisAdapter;

  void connect();
  void give_up(std::string why);
  bool command(const std::vector<std::string>& words, Done done);
  void on_answer(const RedisValue* value, const Done& done);
  void on_greeting(const RedisValue* value, std::size_t script);
  void on_gone();
  void flush();
  void check();

  pools::Reactor& reactor_;
  const config::MarksSettings& settings_;
  const std::vector<std::string_view> scripts_;
  std::vector<std::string> digests_;
  const Hooks hooks_;
  redisAsyncContext* context_ = nullptr;
  int descriptor_ = -1;
  bool up_ = false;
  bool was_up_ = false;
  bool ending_ = false;
  std::string why_;                                ///< it is being given up
  std::deque<pools::Reactor::TimePoint> waiting_;  ///< when what is not answered was asked
  std::chrono::milliseconds pause_;
  pools::Reactor::Timer again_;
  pools::Reactor::Timer flush_;
  pools::Reactor::Timer check_;
};

}  // namespace tidemark::proxy
