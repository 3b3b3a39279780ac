#include "pools/session_settings.hpp"

#include <algorithm>
#include <iterator>

namespace tidemark::pools {

namespace {

/// E'' so that the meaning does not hang on standard_conforming_strings.
void append_literal(std::string& out, std::string_view text) {
  out += "E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  out += '\'';
}

}  // namespace

SettingsPointer SettingsTable::intern(SessionSettings settings) {
  if (settings.values.empty()) return none_;
  if (const auto found = known_.find(settings); found != known_.end()) {
    if (auto pointer = found->second.lock()) return pointer;
  }
  if (known_.size() >= sweep_at_) {
    std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(64, 2 * known_.size());
  }
  auto pointer = std::make_shared<const SessionSettings>(settings);
  known_[std::move(settings)] = pointer;
  return pointer;
}

bool is_parameter_name(std::string_view name) {
  bool part_begins = true;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool inner = (c >= '0' && c <= '9') || c == '$';
    if (c == '.') {
      if (part_begins) return false;
      part_begins = true;
      continue;
    }
    if (!letter && (part_begins || !inner)) return false;
    part_begins = false;
  }
  return !part_begins && name.size() < 128;
}

std::string settings_change(const SessionSettings& from, const SessionSettings& to) {
  std::string out;
  for (const auto& [name, value] : from.values) {
    const bool kept =
        std::any_of(to.values.begin(), to.values.end(), [&](const auto& e) { return e.first == name; });
    if (!kept) out += "RESET " + name + ";";
  }
  bool first = true;
  for (const auto& [name, value] : to.values) {
    if (std::find(from.values.begin(), from.values.end(), std::pair(name, value)) != from.values.end())
      continue;
    out += first ? "SELECT " : ",";
    first = false;
    // set_config takes the value as one text, also where SET would read a list.
    out += "pg_catalog.set_config(";
    append_literal(out, name);
    out += ',';
    append_literal(out, value);
    out += ",false)";
  }
  return out;
}

}  // namespace tidemark::pools
