#include "pools/session_settings.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

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

namespace {
auto lower_bound(auto& values, std::string_view name) {
  return std::lower_bound(values.begin(), values.end(), name,
                          [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
}
}  // namespace

const std::string* SessionSettings::find(std::string_view name) const {
  const auto place = lower_bound(values, name);
  return place != values.end() && place->first == name ? &place->second : nullptr;
}

void SessionSettings::set(std::string_view name, std::string_view value) {
  const auto place = lower_bound(values, name);
  if (place != values.end() && place->first == name) {
    place->second = value;
  } else {
    values.emplace(place, name, value);
  }
}

void SessionSettings::erase(std::string_view name) {
  const auto place = lower_bound(values, name);
  if (place != values.end() && place->first == name) values.erase(place);
}

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

std::vector<std::string> settings_change(const SessionSettings& from, const SessionSettings& to) {
  std::vector<std::string> queries;
  std::string query;
  // set_config takes the value as one text, also where SET would read a list; null resets.
  const auto change = [&](std::string_view name, const std::string* value) {
    query += query.empty() ? "SELECT " : ",";
    query += "pg_catalog.set_config(";
    append_literal(query, name);
    query += ',';
    value == nullptr ? static_cast<void>(query += "NULL") : append_literal(query, *value);
    query += ",false)";
  };
  // A message is read in the encoding that was set when it came.
  static constexpr std::string_view kEncoding = "client_encoding";
  const std::string* old_encoding = from.find(kEncoding);
  const std::string* new_encoding = to.find(kEncoding);
  const bool same_encoding = old_encoding == nullptr || new_encoding == nullptr
                                 ? old_encoding == new_encoding
                                 : *old_encoding == *new_encoding;
  if (!same_encoding) {
    change(kEncoding, new_encoding);
    queries.push_back(std::exchange(query, {}));
  }
  for (const auto& [name, value] : from.values) {
    if (name != kEncoding && to.find(name) == nullptr) change(name, nullptr);
  }
  for (const auto& [name, value] : to.values) {
    if (name == kEncoding) continue;
    const std::string* old = from.find(name);
    if (old != nullptr && *old == value) continue;
    // A value that names only one of its two parts keeps the other: another session's, if it is not reset.
    if (old != nullptr && name == "datestyle") change(name, nullptr);
    change(name, &value);
  }
  if (!query.empty()) queries.push_back(std::move(query));
  return queries;
}

}  // namespace tidemark::pools
