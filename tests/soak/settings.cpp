#include "tests/soak/settings.hpp"

#include <string_view>
#include <utility>
#include <vector>

namespace tidemark::soak {

std::map<std::string, std::string> server_defaults() {
  return {{"application_name", ""},    {"client_encoding", "UTF8"},   {"DateStyle", "ISO, MDY"},
          {"extra_float_digits", "1"}, {"IntervalStyle", "postgres"}, {"search_path", "\"$user\", public"},
          {"statement_timeout", "0"},  {"TimeZone", "UTC"},           {"work_mem", "4MB"}};
}

std::string random_setting(Session& session) {
  auto at = session.settings.begin();
  std::advance(at, session.random.below(session.settings.size()));
  return at->first;
}

std::string random_value(Session& session, const std::string& name) {
  static const std::map<std::string, std::vector<std::string_view>> choices = {
      {"client_encoding", {"UTF8", "LATIN1", "SQL_ASCII"}},
      {"DateStyle", {"ISO, MDY", "ISO, DMY", "German, DMY", "SQL, MDY", "Postgres, YMD"}},
      {"extra_float_digits", {"-3", "0", "1", "2", "3"}},
      {"IntervalStyle", {"postgres", "iso_8601", "sql_standard", "postgres_verbose"}},
      {"search_path", {"\"$user\", public", "public", "public, pg_catalog"}},
      {"TimeZone", {"UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York", "Australia/Adelaide"}},
  };
  const auto known = choices.find(name);
  if (known != choices.end()) return std::string(known->second[session.random.below(known->second.size())]);
  // Odd, so that SHOW does not choose a larger unit.
  if (name == "work_mem") return std::to_string(session.random.between(100, 50'000) * 2 + 1) + "kB";
  if (name == "statement_timeout")
    return std::to_string(session.random.between(200'000, 900'000) * 2 + 1) + "ms";
  return session.token();
}

protocol::ParameterList startup_parameters(Session& session) {
  protocol::ParameterList parameters;
  auto& expected = session.startup_settings;
  expected = server_defaults();
  Random& random = session.random;
  std::string options;
  for (const std::string name : {"soak.first", "soak.second"}) {
    expected[name] = session.token();
    options += " -c " + name + "=" + expected[name];
  }
  if (random.chance(0.8)) {
    expected["application_name"] = session.token();
    parameters.emplace_back("application_name", expected["application_name"]);
  }
  if (random.chance(0.3)) {
    expected["work_mem"] = random_value(session, "work_mem");
    options += " -c work_mem=" + expected["work_mem"];
  }
  for (const std::string name : {"DateStyle", "TimeZone", "client_encoding"}) {
    if (!random.chance(0.2)) continue;
    expected[name] = random_value(session, name);
    parameters.emplace_back(name, expected[name]);
  }
  if (random.chance(0.2)) {
    expected["extra_float_digits"] = random_value(session, "extra_float_digits");
    parameters.emplace_back("extra_float_digits", expected["extra_float_digits"]);
  }
  parameters.emplace_back("options", options);
  session.settings = expected;
  return parameters;
}

}  // namespace tidemark::soak
