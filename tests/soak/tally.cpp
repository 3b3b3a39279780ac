#include "tests/soak/tally.hpp"

#include <cstdio>
#include <string_view>

namespace tidemark::soak {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e ? ' ' : c;
  }
  return out + '"';
}

std::string object(const std::map<std::string, std::uint64_t>& counts) {
  std::string out = "{";
  for (const auto& [name, count] : counts) {
    if (out.size() > 1) out += ", ";
    out += quoted(name) + ": " + std::to_string(count);
  }
  return out + "}";
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

}  // namespace

std::string to_json(const Tally& tally, double seconds) {
  std::string out = "{\"seconds\": " + number(seconds);
  const auto add = [&out](std::string_view name, const std::string& value) {
    out += ",\n " + quoted(name) + ": " + value;
  };
  std::uint64_t operations = 0;
  for (const auto& [name, count] : tally.operations) operations += count;
  add("operations", std::to_string(operations));
  add("operations_per_second", number(static_cast<double>(operations) / seconds));
  add("answers_checked", std::to_string(tally.answers_checked));
  add("connections", std::to_string(tally.connections));
  add("cancels_sent", std::to_string(tally.cancels_sent));
  add("cancels_hit", std::to_string(tally.cancels_hit));
  add("cancels_missed", std::to_string(tally.cancels_missed));
  add("cancels_in_vain", std::to_string(tally.cancels_in_vain));
  add("queue_notices", std::to_string(tally.queue_notices));
  add("longest_wait_seconds", number(tally.longest_wait));
  add("wrong", std::to_string(tally.wrong));
  add("stuck", std::to_string(tally.stuck));
  add("lost", std::to_string(tally.lost));
  add("by_operation", object(tally.operations));
  add("errors_asked_for", object(tally.errors));
  add("interrupted", object(tally.interrupted));
  add("farewells", object(tally.farewells));
  add("wrong_by_operation", object(tally.wrong_by_operation));
  std::string findings = "[";
  for (const std::string& finding : tally.findings) {
    if (findings.size() > 1) findings += ",\n  ";
    findings += quoted(finding);
  }
  add("findings", findings + "]");
  return out + "}\n";
}

}  // namespace tidemark::soak
