// Settings follow their client: SET, SET LOCAL, set_config, RESET, rolled back or not, and what SHOW says
// later.

#include <utility>

#include "tests/soak/messages.hpp"
#include "tests/soak/operations.hpp"
#include "tests/soak/settings.hpp"

namespace tidemark::soak {
namespace {

/// SHOW, current_setting() and ParameterStatus say what this session has set.
Task<> look(Session& s, std::string name) {
  const std::string expected = s.settings.at(name);
  if (s.random.chance(0.5)) {
    co_await s.expect("show " + name, expected);
  } else {
    co_await s.expect("select current_setting('" + name + "')", expected);
  }
  const auto reported = s.wire.parameters().find(name);
  if (reported != s.wire.parameters().end())
    s.require(reported->second == expected, "the ParameterStatus of " + name,
              reported->second + " instead of " + expected);
}

/// Behind SET … TO. A list of names is not one string.
std::string quoted(const std::string& name, const std::string& value) {
  return name == "search_path" ? value : "'" + value + "'";
}

Task<> look_at_one(Session& s) {
  const std::string name = random_setting(s);
  co_await look(s, name);
}

Task<> look_at_all(Session& s) {
  std::vector<std::string> names;
  for (const auto& [name, value] : s.settings) names.push_back(name);
  for (const std::string& name : names) co_await look(s, name);
}

Task<> set(Session& s) {
  const std::string name = random_setting(s);
  const std::string value = random_value(s, name);
  if (s.random.chance(0.7)) {
    co_await s.command("set " + name + " to " + quoted(name, value), "SET");
  } else {
    co_await s.expect("select set_config('" + name + "', '" + value + "', false)", value);
  }
  s.settings[name] = value;
  if (s.random.chance(0.5)) co_await look(s, name);
}

Task<> set_local(Session& s) {
  const std::string name = random_setting(s);
  const std::string value = random_value(s, name);
  co_await s.command("begin", "BEGIN");
  co_await s.command("set local " + name + " to " + quoted(name, value), "SET");
  co_await s.expect("show " + name, value);
  co_await s.command("commit", "COMMIT");
  co_await look(s, name);
}

Task<> set_in_transaction(Session& s) {
  const std::string name = random_setting(s);
  const std::string value = random_value(s, name);
  co_await s.command("begin", "BEGIN");
  co_await s.command("set " + name + " to " + quoted(name, value), "SET");
  co_await s.expect("show " + name, value);
  if (s.random.chance(0.5)) {
    co_await s.command("commit", "COMMIT");
    s.settings[name] = value;
  } else {
    co_await s.command("rollback", "ROLLBACK");
  }
  co_await look(s, name);
}

Task<> reset(Session& s) {
  const std::string name = random_setting(s);
  co_await s.command("reset " + name, "RESET");
  s.settings[name] = s.startup_settings.at(name);
  co_await look(s, name);
}

Task<> reset_all(Session& s) {
  co_await s.command("reset all", "RESET");
  s.settings = s.startup_settings;
  co_await look_at_one(s);
}

Task<> discard_all(Session& s) {
  co_await s.command("discard all", "DISCARD ALL");
  s.settings = s.startup_settings;
  s.prepared.clear();
  co_await look_at_one(s);
}

Task<> refused(Session& s) {
  const std::string token = s.token();
  co_await s.fails("set extra_float_digits to '" + token + "'", "22023", token);
  co_await look(s, "extra_float_digits");
}

}  // namespace

std::vector<Operation> setting_operations() {
  std::vector<Operation> all;
  all.push_back({"look at a setting", 60, look_at_one});
  all.push_back({"look at all settings", 6, look_at_all});
  all.push_back({"set", 40, set});
  all.push_back({"set local", 15, set_local});
  all.push_back({"set in transaction", 20, set_in_transaction});
  all.push_back({"reset", 15, reset});
  all.push_back({"reset all", 4, reset_all});
  all.push_back({"discard all", 4, discard_all});
  all.push_back({"refused setting", 5, refused});
  return all;
}

}  // namespace tidemark::soak
