#include "proxy/statement_cache.hpp"

#include <memory>

namespace tidemark::proxy {

namespace {
std::string key_of(std::string_view definition, std::string_view database) {
  std::string key;
  key.reserve(database.size() + 1 + definition.size());
  key.append(database).push_back('\0');
  key.append(definition);
  return key;
}
}  // namespace

StatementCache::~StatementCache() {
  for (auto& [key, text] : texts_) delete text;
}

StatementCache::Reference StatementCache::refer(std::string_view definition, std::string_view database) {
  auto [place, is_new] = texts_.try_emplace(key_of(definition, database), nullptr);
  if (is_new) place->second = make(definition, database);
  return Reference(*this, *place->second);
}

StatementCache::Reference StatementCache::refer_alone(std::string_view definition,
                                                      std::string_view database) {
  return Reference(*this, *make(definition, database));
}

PreparedText* StatementCache::make(std::string_view definition, std::string_view database) {
  auto text = std::make_unique<PreparedText>();
  text->id = next_id_++;
  text->definition = definition;
  text->database = database;
  return text.release();
}

void StatementCache::drop(PreparedText& text) {
  if (--text.references > 0) return;
  const auto shared = texts_.find(key_of(text.definition, text.database));
  if (shared != texts_.end() && shared->second == &text) texts_.erase(shared);
  delete &text;
}

}  // namespace tidemark::proxy
