#include "proxy/statement_cache.hpp"

#include <cstdint>
#include <memory>

#include "proxy/tidemark_command.hpp"
#include "routing/hint.hpp"

namespace tidemark::proxy {

namespace {
std::string key_of(std::string_view definition, std::string_view database,
                   const pools::SettingsPointer& settings) {
  // The text keeps its settings, so no other object has their address while it is in the map.
  std::string key = std::to_string(reinterpret_cast<std::uintptr_t>(settings.get()));
  key.reserve(key.size() + 2 + database.size() + definition.size());
  key.push_back(' ');
  key.append(database).push_back('\0');
  key.append(definition);
  return key;
}
}  // namespace

StatementCache::~StatementCache() {
  for (auto& [key, text] : texts_) delete text;
}

StatementCache::Reference StatementCache::refer(std::string_view definition, std::string_view database,
                                                const pools::SettingsPointer& settings) {
  auto [place, is_new] = texts_.try_emplace(key_of(definition, database, settings), nullptr);
  if (is_new) place->second = make(definition, database, settings);
  return Reference(*this, *place->second);
}

StatementCache::Reference StatementCache::refer_alone(std::string_view definition,
                                                      std::string_view database) {
  return Reference(*this, *make(definition, database, nullptr));
}

PreparedText* StatementCache::make(std::string_view definition, std::string_view database,
                                   pools::SettingsPointer settings) {
  auto text = std::make_unique<PreparedText>();
  renew(*text);
  text->definition = definition;
  text->database = database;
  text->settings = std::move(settings);
  text->may_be_command = may_be_tidemark_command(text->query());
  text->may_have_hint = routing::begins_with_comment(text->query());
  return text.release();
}

void StatementCache::drop(PreparedText& text) {
  if (--text.references > 0) return;
  const auto shared = texts_.find(key_of(text.definition, text.database, text.settings));
  if (shared != texts_.end() && shared->second == &text) texts_.erase(shared);
  delete &text;
}

}  // namespace tidemark::proxy
