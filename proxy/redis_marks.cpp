#include "proxy/redis_marks.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace tidemark::proxy {

namespace {

constexpr std::chrono::milliseconds kTellInterval{100};
/// After an outage the others need this long to try again, beside the time that it takes them to connect.
constexpr std::chrono::milliseconds kLongestRetry{1500};

// What Redis has to say of a user: its time, since when it remembers, and the hash without the fields whose
// proxy has not been heard of for the ttl. KEYS: hash, epoch. ARGV: ttl in ms.
constexpr std::string_view kAsk = R"(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[2], string.format('%.0f', now), 'NX')
local all = redis.call('HGETALL', KEYS[1])
local told = {}
for i = 1, #all, 2 do
  local at = tonumber(string.match(all[i + 1], '@(%d+)$'))
  if at and at + ARGV[1] < now then
    redis.call('HDEL', KEYS[1], all[i])
  else
    told[#told + 1] = all[i]
    told[#told + 1] = all[i + 1]
  end
end
return {string.format('%.0f', now), redis.call('GET', KEYS[2]), told})";

// KEYS: hash. ARGV: ttl in ms, field, value.
constexpr std::string_view kAnnounce = R"(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3] .. '@' .. string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1)";

// KEYS: hash. ARGV: ttl in ms, position or nothing, fields that go.
constexpr std::string_view kTell = R"(
if ARGV[2] ~= '' then
  local known = redis.call('HGET', KEYS[1], 'p')
  if not known or known < ARGV[2] then redis.call('HSET', KEYS[1], 'p', ARGV[2]) end
end
for i = 3, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1)";

// Whatever was remembered, something was not told: all begin anew. KEYS: epoch.
constexpr std::string_view kForget = R"(return redis.call('DEL', KEYS[1]))";

enum Script : std::size_t { ask_script, announce_script, tell_script, forget_script };

std::uint64_t number_of(const RedisValue& value) {
  std::uint64_t number = 0;
  std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
  return number;
}

std::string name_of(const SharedUser::Field& field, std::string_view proxy) {
  return field.subject.is_write() ? shared_write_field(proxy, field.number)
                                  : shared_node_field(proxy, field.number, field.subject.node);
}

}  // namespace

RedisShared::RedisShared(boost::asio::io_context& io, const config::MarksSettings& marks,
                         unsigned connections, std::string proxy_id)
    : settings(marks),
      proxy(std::move(proxy_id)),
      health(connections, kLongestRetry + 2 * marks.redis_timeout, marks.kept_for),
      address(io, marks.redis_host, marks.redis_port) {}

RedisMarks::RedisMarks(pools::Reactor& reactor, RedisShared& shared, MarksStore& store,
                       pools::ClusterMonitor& monitor, Answered answered)
    : reactor_(reactor),
      shared_(shared),
      store_(store),
      monitor_(monitor),
      view_(monitor.view()),
      answered_(std::move(answered)),
      timer_(reactor, [this] { tell(); }),
      connection_(reactor, shared.settings, {kAsk, kAnnounce, kTell, kForget},
                  {.address = [this] { return shared_.address.take(); },
                   .found = [this] { on_found(); },
                   .lost = [this](bool was_up, std::string_view why) { shared_.health.lost(was_up, why); }}) {
}

template <class Function>
decltype(auto) RedisMarks::visit(std::uint64_t user, const Function& function) {
  return store_.visit_shared(user, monitor_.positions().asked(), pools::Reactor::Clock::now(), function);
}

std::vector<std::string> RedisMarks::keys(std::uint64_t user) const {
  return {shared_marks_key(shared_.settings.redis_prefix, view_->system_identifier, user)};
}

std::string RedisMarks::ttl() const {
  return std::to_string(
      std::chrono::duration_cast<std::chrono::milliseconds>(shared_.settings.kept_for).count());
}

/// What was announced before has to be announced again, well before it expires.
routing::TimePoint RedisMarks::stale() const {
  return reactor_.now() - shared_.settings.kept_for / 3;
}

bool RedisMarks::is_trusted() const {
  return connection_.is_up() && shared_.health.is_trusted(reactor_.now());
}

bool RedisMarks::ask(std::uint64_t user, const Asker& asker) {
  view_.refresh();
  if (!connection_.is_up() || view_->system_identifier == 0) return false;
  auto arguments = keys(user);
  arguments.push_back(shared_epoch_key(shared_.settings.redis_prefix, view_->system_identifier));
  arguments.push_back(ttl());
  const std::uint64_t life = shared_.health.life();
  return connection_.run(ask_script, 2, arguments, [this, user, asker, life](const RedisValue* value) {
    bool ok = false;
    if (value != nullptr) take_in(user, life, *value, ok);
    answered_(asker, ok);
  });
}

/// Raises the user's marks by an answer. `life`: of Redis, when it was asked.
void RedisMarks::take_in(std::uint64_t user, std::uint64_t life, const RedisValue& value, bool& ok) {
  if (value.kind != RedisValue::Kind::list || value.items.size() != 3) return shared_.health.failed();
  const std::uint64_t now = number_of(value.items[0]);
  const std::uint64_t epoch = number_of(value.items[1]);
  shared_.health.remembers_since(epoch);
  view_.refresh();
  const auto here = pools::Reactor::Clock::now();
  if (life != shared_.health.life() || epoch == 0 || !shared_.health.is_trusted(here)) return;
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  const auto& told = value.items[2].items;
  for (std::size_t i = 0; i + 1 < told.size(); i += 2) fields.emplace_back(told[i].text, told[i + 1].text);
  SharedHash hash = read_shared_hash(fields, shared_.proxy);
  const std::chrono::milliseconds remembered(now > epoch ? now - epoch : 0);
  const bool doubtful = shared_.health.is_doubtful(here, remembered);
  // Read behind the answer: whatever the others have told had happened by then.
  const auto asked = monitor_.positions().asked();
  visit(user, [&](UserMarks& marks, SharedUser& shared) {
    // Once is enough: what is done from here on will be told.
    if (std::exchange(shared.settled_life, life) != life && doubtful) hash.is_unbounded = true;
    (void)merge_shared_hash(hash, marks, shared.taken, *view_, asked, here);
  });
  ok = true;
}

RedisMarks::Announced RedisMarks::announce(std::uint64_t user, const SharedUser::Subject& subject,
                                           std::uint64_t& number, const Asker& asker) {
  const std::uint64_t life = shared_.health.life();
  SharedUser::Field field;
  field.subject = subject;
  bool there = false;
  visit(user, [&](UserMarks&, SharedUser& shared) {
    if (number == 0)
      number = shared.hold(subject, shared_.last_number.fetch_add(1, std::memory_order_relaxed) + 1);
    there = shared.is_there(number, life, stale());
  });
  touch(user);
  if (there) return Announced::there;
  field.number = number;
  return send(user, field, asker) ? Announced::asked : Announced::failed;
}

bool RedisMarks::send(std::uint64_t user, const SharedUser::Field& field, std::optional<Asker> asker) {
  view_.refresh();
  if (!connection_.is_up() || view_->system_identifier == 0) return false;
  auto arguments = keys(user);
  arguments.push_back(ttl());
  arguments.push_back(name_of(field, shared_.proxy));
  arguments.push_back(std::to_string(field.subject.server_start));
  const auto sent_at = reactor_.now();
  const std::uint64_t life = shared_.health.life();
  const auto done = [this, user, asker, sent_at, life, number = field.number](const RedisValue* value) {
    const bool ok = value != nullptr && value->kind == RedisValue::Kind::integer;
    if (value != nullptr && !ok) shared_.health.failed();
    visit(user, [&](UserMarks&, SharedUser& shared) { shared.answered(number, ok ? life : 0, sent_at); });
    if (asker) answered_(*asker, ok);
  };
  visit(user, [&](UserMarks&, SharedUser& shared) { shared.sent(field.number); });
  if (connection_.run(announce_script, 1, arguments, done)) return true;
  visit(user, [&](UserMarks&, SharedUser& shared) { shared.answered(field.number, 0, sent_at); });
  return false;
}

void RedisMarks::release(std::uint64_t user, std::uint64_t number) {
  visit(user, [&](UserMarks&, SharedUser& shared) { shared.release(number); });
  touch(user);
}

void RedisMarks::touch(std::uint64_t user) {
  if (untold_.size() >= kMaxUntold) {
    too_many_ = true;
  } else {
    untold_.insert(user);
  }
  if (!timer_.armed()) timer_.expires_at(reactor_.now() + kTellInterval);
}

void RedisMarks::on_found() {
  shared_.health.found();
  // The others must learn before they rely on Redis again.
  tell();
}

void RedisMarks::tell() {
  view_.refresh();
  if (!connection_.is_up() || view_->system_identifier == 0) {
    if (!untold_.empty()) timer_.expires_at(reactor_.now() + kTellInterval);
    return;
  }
  if (std::exchange(too_many_, false) &&
      !connection_.run(forget_script, 1,
                       {shared_epoch_key(shared_.settings.redis_prefix, view_->system_identifier)}, {}))
    too_many_ = true;
  const std::vector<std::uint64_t> users(untold_.begin(), untold_.end());
  untold_.clear();
  for (const std::uint64_t user : users) tell(user);
  if (!untold_.empty() && !timer_.armed()) timer_.expires_at(reactor_.now() + kTellInterval);
}

void RedisMarks::tell(std::uint64_t user) {
  SharedUser::Work work;
  visit(user, [&](UserMarks& marks, SharedUser& shared) {
    work = shared.work(marks, monitor_.positions(), shared_.health.life(), stale());
  });
  if (work.needs_position) monitor_.want_primary_position(false);
  if (work.unfinished) untold_.insert(user);
  for (const auto& field : work.announce) {
    if (!send(user, field, std::nullopt)) untold_.insert(user);
  }
  if (!work.publish) return;
  auto arguments = keys(user);
  arguments.push_back(ttl());
  arguments.push_back(work.position.timeline.value == 0
                          ? std::string()
                          : print_shared_position(work.position.timeline, work.position.lsn));
  for (const auto& field : work.remove) arguments.push_back(name_of(field, shared_.proxy));
  const auto failed = [this, user, removed = std::move(work.remove)] {
    visit(user, [&](UserMarks&, SharedUser& shared) { shared.not_published(removed); });
    touch(user);
  };
  const bool sent = connection_.run(tell_script, 1, arguments, [this, failed](const RedisValue* value) {
    if (value != nullptr && value->kind == RedisValue::Kind::integer) return;
    if (value != nullptr) shared_.health.failed();
    failed();
  });
  if (!sent) failed();
}

}  // namespace tidemark::proxy
