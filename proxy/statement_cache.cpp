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
  if (is_new) {
    auto text = std::make_unique<PreparedText>();
    text->id = next_id_++;
    text->definition = definition;
    text->database = database;
    place->second = text.release();
  }
  return Reference(*this, *place->second);
}

void StatementCache::drop(PreparedText& text) {
  if (--text.references > 0) return;
  texts_.erase(key_of(text.definition, text.database));
  delete &text;
}

}  // namespace tidemark::proxy
