#include "tests/consistency/driver_identity.hpp"

namespace tidemark::consistency {
namespace {

Saying settled(Saying saying, std::uint32_t turn) {
  constexpr Saying ways[] = {Saying::set, Saying::startup, Saying::hint};
  return saying == Saying::mixed ? ways[turn % 3] : saying;
}

void say(Introduction& introduction, Saying saying, const std::string& name, const std::string& value) {
  if (value.empty()) return;
  switch (saying) {
    case Saying::set:
      introduction.statements.push_back("set tidemark." + name + " = " + sql_literal(value));
      break;
    case Saying::startup:
      introduction.startup += (introduction.startup.empty() ? "-c tidemark." : " -c tidemark.") + name;
      introduction.startup += "=" + value;
      break;
    case Saying::hint:
      introduction.hint += (introduction.hint.empty() ? "" : ", ") + name + "=" + value;
      break;
    case Saying::nothing:
    case Saying::mixed:
      break;
  }
}

}  // namespace

Introduction introduce(const DriverOptions& options, const std::string& user, std::uint32_t turn) {
  Introduction introduction;
  say(introduction, settled(options.identify, turn), "user", user);
  // Another turn, so that every way of one meets every way of the other.
  const Saying level_by = settled(options.level_by, turn + turn / 3);
  say(introduction, level_by, "consistency", options.level);
  say(introduction, level_by, "max_staleness", options.max_staleness);
  if (!introduction.hint.empty()) introduction.hint = "/* tidemark: " + introduction.hint + " */ ";
  return introduction;
}

std::string sql_literal(const std::string& text) {
  std::string literal = "'";
  for (const char c : text) {
    literal += c;
    if (c == '\'') literal += c;
  }
  return literal + "'";
}

}  // namespace tidemark::consistency
