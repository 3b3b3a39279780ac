#include "proxy/redis_connection.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <sys/ioctl.h>

namespace tidemark::proxy {

namespace {

constexpr std::chrono::milliseconds kShortestPause{100};
constexpr std::chrono::milliseconds kLongestPause{1000};
/// An answer that is overdue for so long is not waited for any more.
constexpr std::chrono::milliseconds kShortestLimit{200};
constexpr int kLimitInTimeouts = 4;
constexpr std::chrono::milliseconds kConnectLimit{1000};
constexpr int kDeepest = 4;

RedisValue read_value(const redisReply& reply, int depth = 0) {
  RedisValue value;
  switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      value.kind = RedisValue::Kind::text;
      value.text.assign(reply.str, reply.len);
      break;
    case REDIS_REPLY_ERROR:
      value.kind = RedisValue::Kind::error;
      value.text.assign(reply.str, reply.len);
      break;
    case REDIS_REPLY_INTEGER:
      value.kind = RedisValue::Kind::integer;
      value.integer = reply.integer;
      break;
    case REDIS_REPLY_ARRAY:
      value.kind = RedisValue::Kind::list;
      for (std::size_t i = 0; depth < kDeepest && i < reply.elements; ++i)
        value.items.push_back(read_value(*reply.element[i], depth + 1));
      break;
    default:
      break;
  }
  return value;
}

}  // namespace

/// hiredis' callbacks, which are plain functions.
struct RedisAdapter {
  static RedisConnection& self(void* data) { return *static_cast<RedisConnection*>(data); }
  // The reactor reports everything; what hiredis has to send is flushed once in a turn.
  static void ignore(void* /*data*/) {}
  static void wants_to_write(void* data) {
    RedisConnection& connection = self(data);
    if (!connection.flush_.armed()) connection.flush_.expires_at(connection.reactor_.now());
  }
  static void gone(void* data) { self(data).on_gone(); }
  static void answered(redisAsyncContext* context, void* reply, void* data) {
    const std::unique_ptr<RedisConnection::Done> done(static_cast<RedisConnection::Done*>(data));
    RedisConnection& connection = self(context->data);
    if (reply == nullptr) return connection.on_answer(nullptr, *done);
    const RedisValue value = read_value(*static_cast<redisReply*>(reply));
    connection.on_answer(&value, *done);
  }
};

RedisConnection::RedisConnection(pools::Reactor& reactor, const config::MarksSettings& settings,
                                 std::vector<std::string_view> scripts, Hooks hooks)
    : reactor_(reactor),
      settings_(settings),
      scripts_(std::move(scripts)),
      hooks_(std::move(hooks)),
      pause_(kShortestPause),
      again_(reactor, [this] { connect(); }),
      flush_(reactor, [this] { flush(); }),
      check_(reactor, [this] { check(); }) {
  again_.expires_at(reactor_.now());
}

RedisConnection::~RedisConnection() {
  ending_ = true;
  if (context_ != nullptr) redisAsyncFree(context_);
}

void RedisConnection::connect() {
  const std::string address = hooks_.address();
  if (address.empty()) {
    why_ = "its name has no address";
    return on_gone();
  }
  why_.clear();
  context_ = address.starts_with('/') ? redisAsyncConnectUnix(address.c_str())
                                      : redisAsyncConnect(address.c_str(), settings_.redis_port);
  if (context_ == nullptr || context_->err != 0) {
    why_ = context_ != nullptr ? context_->errstr : "out of memory";
    if (context_ != nullptr) redisAsyncFree(std::exchange(context_, nullptr));
    return on_gone();
  }
  context_->data = this;
  context_->ev.data = this;
  context_->ev.addRead = context_->ev.delRead = context_->ev.delWrite = RedisAdapter::ignore;
  context_->ev.addWrite = RedisAdapter::wants_to_write;
  context_->ev.cleanup = RedisAdapter::gone;
  descriptor_ = context_->c.fd;
  if (!reactor_.add(descriptor_, *this)) {
    descriptor_ = -1;
    return give_up("its descriptor cannot be watched");
  }
  const auto refused = [this](const RedisValue* value) {
    if (value != nullptr && value->kind == RedisValue::Kind::error) give_up(value->text);
  };
  if (settings_.redis_password) {
    if (settings_.redis_user.empty()) {
      command({"AUTH", settings_.redis_password->reveal()}, refused);
    } else {
      command({"AUTH", settings_.redis_user, settings_.redis_password->reveal()}, refused);
    }
  }
  if (settings_.redis_database != 0) command({"SELECT", std::to_string(settings_.redis_database)}, refused);
  digests_.assign(scripts_.size(), {});
  for (std::size_t i = 0; i < scripts_.size(); ++i)
    command({"SCRIPT", "LOAD", std::string(scripts_[i])},
            [this, i](const RedisValue* value) { on_greeting(value, i); });
  check_.expires_at(reactor_.now() + std::max<pools::Reactor::Clock::duration>(
                                         kConnectLimit, settings_.redis_timeout * kLimitInTimeouts));
}

void RedisConnection::on_greeting(const RedisValue* value, std::size_t script) {
  if (value == nullptr || !why_.empty()) return;
  if (value->kind != RedisValue::Kind::text) return give_up(value->text);
  digests_[script] = value->text;
  if (script + 1 < scripts_.size()) return;
  up_ = was_up_ = true;
  pause_ = kShortestPause;
  hooks_.found();
}

bool RedisConnection::run(std::size_t script, std::size_t keys, const std::vector<std::string>& arguments,
                          Done done) {
  std::vector<std::string> words{"EVALSHA", digests_[script], std::to_string(keys)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return command(words, std::move(done));
}

bool RedisConnection::command(const std::vector<std::string>& words, Done done) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string& word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  auto kept = std::make_unique<Done>(std::move(done));
  // On success hiredis owes the callback, which takes it over.
  if (redisAsyncCommandArgv(context_, RedisAdapter::answered, kept.get(), static_cast<int>(texts.size()),
                            texts.data(), sizes.data()) != REDIS_OK)
    return false;
  (void)kept.release();  // NOLINT(bugprone-unused-return-value)
  waiting_.push_back(reactor_.now());
  if (up_ && !check_.armed()) check();
  return true;
}

void RedisConnection::on_answer(const RedisValue* value, const Done& done) {
  if (value == nullptr) up_ = false;  // all others are called in this way, too
  if (!waiting_.empty()) waiting_.pop_front();
  if (!ending_ && done) done(value);
}

/// Closes it; what is not answered is told so.
void RedisConnection::give_up(std::string why) {
  if (why_.empty()) why_ = std::move(why);
  up_ = false;
  if (context_ != nullptr) redisAsyncFree(context_);
}

/// hiredis frees its context.
void RedisConnection::on_gone() {
  if (context_ != nullptr && why_.empty() && context_->errstr != nullptr) why_ = context_->errstr;
  if (descriptor_ >= 0) reactor_.remove(std::exchange(descriptor_, -1), *this);
  context_ = nullptr;
  up_ = false;
  waiting_.clear();
  check_.cancel();
  flush_.cancel();
  if (ending_) return;
  again_.expires_at(reactor_.now() + pause_);
  pause_ = std::min(pause_ * 2, kLongestPause);
  hooks_.lost(std::exchange(was_up_, false), why_.empty() ? "the connection was closed" : why_);
}

void RedisConnection::on_events(pools::IoEvents events) {
  if (events.writable && context_ != nullptr) redisAsyncHandleWrite(context_);
  if (!events.readable && !events.broken) return;
  // Edge-triggered: hiredis takes one piece at a time. The end of the stream comes behind the last one.
  while (context_ != nullptr) {
    redisAsyncHandleRead(context_);
    int left = 0;
    if (context_ == nullptr || ::ioctl(descriptor_, FIONREAD, &left) != 0) return;
    if (left == 0) break;
  }
  if (context_ != nullptr && (events.peer_closed || events.broken)) redisAsyncHandleRead(context_);
}

void RedisConnection::flush() {
  if (context_ != nullptr) redisAsyncHandleWrite(context_);
}

void RedisConnection::check() {
  if (context_ == nullptr) return;
  if (!up_) return give_up("it does not answer");
  if (waiting_.empty()) return;
  const auto limit =
      std::max<pools::Reactor::Clock::duration>(kShortestLimit, settings_.redis_timeout * kLimitInTimeouts);
  const auto due = waiting_.front() + limit;
  if (due <= reactor_.now()) return give_up("it does not answer in time");
  check_.expires_at(due);
}

}  // namespace tidemark::proxy
