#include "tests/soak/client.hpp"

#include <algorithm>
#include <utility>

#include "tests/soak/outcome.hpp"
#include "tests/soak/settings.hpp"

namespace tidemark::soak {
namespace {

std::chrono::microseconds milliseconds(double count) {
  return std::chrono::microseconds(static_cast<std::int64_t>(count * 1000));
}

}  // namespace

Client::Client(World& world, std::uint32_t number)
    : world_(world), number_(number), random_(world.options.seed * 1'000'003 + number) {}

const Operation& Client::choose() {
  auto rest = static_cast<unsigned>(random_.below(world_.total_weight));
  for (const Operation& operation : world_.operations) {
    if (rest < operation.weight) return operation;
    rest -= operation.weight;
  }
  return world_.operations.front();
}

Task<> Client::connect(Session& session) {
  const Options& options = world_.options;
  const std::string& user = options.users[random_.below(options.users.size())];
  const std::size_t colon = user.find(':');
  protocol::LoginRequest request;
  request.user = user.substr(0, colon);
  request.database = options.databases[random_.below(options.databases.size())];
  request.parameters = startup_parameters(session);
  std::optional<protocol::ScramKeys> keys;
  const auto known = world_.keys.find(request.user);
  if (known != world_.keys.end()) keys = known->second;
  const std::string name = request.user;
  co_await session.wire.open(options.port, random_.chance(0.1) ? 8192 : 0);
  co_await session.wire.login(std::move(request), protocol::Credential::plain(user.substr(colon + 1)),
                              std::move(keys));
  if (session.wire.scram_keys()) world_.keys.insert_or_assign(name, *session.wire.scram_keys());
  ++world_.tally.connections;
}

Task<> Client::stay(Session& session) {
  doing_ = "login";
  if (random_.chance(world_.options.vanish)) session.wire.light_fuse(random_.between(1, 4));
  co_await connect(session);
  const auto operations = static_cast<int>(random_.exponential(world_.options.stay)) + 1;
  for (int i = 0; i < operations && !over(); ++i) {
    const Operation& operation = choose();
    doing_ = operation.name;
    session.wire.put_out_fuse();
    if (random_.chance(world_.options.vanish)) session.wire.light_fuse(random_.between(1, 8));
    co_await operation.run(session);
    session.require(session.wire.notifications().empty(), "no notification that nobody waits for");
    ++world_.tally.operations[doing_];
    doing_ = "thinking";
    const double pause = std::min(random_.exponential(world_.options.think_ms), 2000.0);
    co_await session.loop.until(Clock::now() + milliseconds(pause));
  }
}

Task<> Client::visit() {
  Tally& tally = world_.tally;
  Session session(world_.loop, random_, tally, world_.options.port,
                  std::to_string(number_) + "x" + random_.hex(12));
  const std::string who = "client " + std::to_string(number_) + ", ";
  std::string farewell;
  try {
    co_await stay(session);
    farewell = "done";
  } catch (const Vanished&) {
    farewell = doing_ == "login" ? "vanished during login" : "vanished";
  } catch (const Interrupted& interrupted) {
    ++tally.interrupted[interrupted.code];
    farewell = "interrupted";
  } catch (const Wrong& wrong) {
    ++tally.wrong;
    ++tally.wrong_by_operation[doing_];
    tally.note(who + doing_ + ": " + wrong.text);
    farewell = "wrong";
  } catch (const Lost& lost) {
    ++tally.lost;
    tally.note(who + doing_ + ": lost: " + lost.text);
    farewell = "lost";
  } catch (const Stuck& stuck) {
    ++tally.stuck;
    tally.note(who + doing_ + ": stuck: " + stuck.text);
    farewell = "stuck";
  } catch (const std::exception& error) {
    ++tally.wrong;
    ++tally.wrong_by_operation[doing_];
    tally.note(who + doing_ + ": " + error.what());
    farewell = "wrong";
  }
  constexpr std::string_view names[] = {" (Terminate)", " (closed)", " (reset)"};
  const auto how = static_cast<std::size_t>(random_.below(3));
  ++tally.farewells[farewell + std::string(names[how])];
  tally.queue_notices += session.wire.queue_notices();
  tally.longest_wait =
      std::max(tally.longest_wait, std::chrono::duration<double>(session.wire.longest_wait()).count());
  session.wire.leave(static_cast<Farewell>(how));
}

Task<> Client::run() {
  // Not all at the same moment.
  co_await world_.loop.until(Clock::now() + milliseconds(random_.exponential(2.0 * number_) / 2));
  while (!over()) {
    co_await visit();
    doing_ = "away";
    const double away = random_.exponential(world_.options.think_ms);
    if (!over()) co_await world_.loop.until(Clock::now() + milliseconds(away));
  }
  doing_ = "gone";
}

}  // namespace tidemark::soak
