#include "routing/routine_body.hpp"

#include <algorithm>
#include <array>

#include "routing/safe_functions.hpp"
#include "routing/sql_keywords.hpp"
#include "routing/sql_scanner.hpp"

namespace tidemark::routing {
namespace {

namespace effect = routine_effect;

constexpr std::size_t kMaxName = 63;  // NAMEDATALEN - 1
constexpr int kMaxNesting = 4;        // of strings in strings
constexpr std::size_t kMaxSettings = 100;
constexpr int kMaxRounds = 64;

bool is(const Token& token, std::string_view lower) {
  return token.kind == TokenKind::word && equals_folded(token.text, lower);
}

bool is_one_of(const Token& token, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return is(token, word); });
}

/// A string constant that is what stands between its quotes, whatever the settings.
bool is_plain(std::string_view inside) {
  return inside.find_first_of("'\\") == std::string_view::npos;
}

/// A string constant that is the name of a parameter of no module.
bool is_custom_name(std::string_view name) {
  return name.size() <= 2 * kMaxName && name.find('.') != std::string_view::npos &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_identifier_byte(c) || c == '.'; });
}

/// Goes through the tokens of one body.
class BodyReader {
 public:
  BodyReader(const EffectMap& routines, const EffectMap& relations, std::vector<std::string>* settings)
      : routines_(routines), relations_(relations), settings_(settings) {}

  std::uint8_t run(std::string_view body) {
    read(body, 0);
    // Constants are run only where something is put together.
    if ((found_ & effect::dynamic) != 0) found_ |= in_strings_;
    return found_;
  }

 private:
  void read(std::string_view text, int nesting);
  void name(const Token& name, const Token& before, bool starts, SqlScanner ahead);
  void statement(const Token& verb, SqlScanner ahead);
  void set(SqlScanner ahead);
  void set_config(SqlScanner ahead);
  void call(const Token& name, SqlScanner arguments);
  void custom(std::string name);
  void add(std::uint8_t bits) { (nesting_ == 0 ? found_ : in_strings_) |= bits; }

  const EffectMap& routines_;
  const EffectMap& relations_;
  std::vector<std::string>* settings_;
  std::uint8_t found_ = 0;
  std::uint8_t in_strings_ = 0;
  int nesting_ = 0;
};

void BodyReader::read(std::string_view text, int nesting) {
  nesting_ = nesting;
  SqlScanner scanner(text);
  Token before;
  bool starts = true;  // a statement
  for (Token token = scanner.next(); token.kind != TokenKind::end; token = scanner.next()) {
    switch (token.kind) {
      case TokenKind::word:
      case TokenKind::quoted_word:
        name(token, before, starts, scanner);
        break;
      case TokenKind::unicode_word:
        add(effect::state);  // it may spell anything
        break;
      case TokenKind::string:
        if (nesting < kMaxNesting) {
          read(inside_of_string(token.text), nesting + 1);
          nesting_ = nesting;
        } else {
          in_strings_ |= effect::state;
        }
        break;
      default:
        break;
    }
    // Behind these a statement begins, in SQL or in PL/pgSQL; >> ends a label.
    starts = token.kind == TokenKind::semicolon || (token.kind == TokenKind::op && token.text == ">>") ||
             is_one_of(token, {"begin", "then", "else", "loop", "atomic"});
    before = token;
  }
  if (scanner.doubtful() && nesting == 0) add(effect::state);
}

void BodyReader::name(const Token& name, const Token& before, bool starts, SqlScanner ahead) {
  add(effects_of(name, relations_));
  if (names_temporary_schema(name)) add(effect::state);
  if (starts && name.kind == TokenKind::word) statement(name, ahead);
  if (is_one_of(name, {"temp", "temporary"}) &&
      is_one_of(before, {"create", "replace", "local", "global", "into"})) {
    // ON COMMIT DROP: it does not outlive the transaction.
    Token last;
    bool dropped = false;
    for (Token token = ahead.next(); token.kind != TokenKind::end && token.kind != TokenKind::semicolon;
         token = ahead.next()) {
      dropped = dropped || (is(last, "commit") && is(token, "drop"));
      last = token;
    }
    return dropped ? void() : add(effect::state);
  }
  if (is(name, "hold") && is(before, "with")) add(effect::state);
  SqlScanner behind = ahead;
  Token next = behind.next();
  if (is(name, "execute") && !is_one_of(next, {"function", "procedure", "on"}) &&
      !is_one_of(before, {"grant", "revoke"})) {
    add(effect::dynamic);
  }
  if (is(name, "update")) {
    // The view's rule calls set_config.
    while (is_name(next.kind) || next.kind == TokenKind::dot) {
      if (next.text == "pg_settings" || is(next, "pg_settings")) add(effect::state);
      if (is(next, "set")) break;
      next = behind.next();
    }
  } else if (next.kind == TokenKind::open) {
    call(name, behind);
  }
}

void BodyReader::statement(const Token& verb, SqlScanner ahead) {
  if (is(verb, "set")) return set(ahead);
  if (is(verb, "load")) return add(effect::state | effect::unaskable);
  if (is_one_of(verb, {"reset", "discard", "listen", "unlisten", "prepare", "deallocate"}))
    add(effect::state);
}

// Behind SET.
void BodyReader::set(SqlScanner ahead) {
  Token name = ahead.next();
  Token next = ahead.next();
  const auto is_scope = [&] {
    return next.kind != TokenKind::dot && next.kind != TokenKind::op && !is(next, "to");
  };
  if (is_one_of(name, {"local", "transaction", "constraints"}) && is_scope()) return;
  if (is(name, "session") && is_scope()) {
    name = next;
    next = ahead.next();
  }
  add(effect::state);
  if (!is_name(name.kind)) return add(effect::nameless);
  if (is(name, "seed")) add(effect::unaskable);
  std::string whole(settings_ != nullptr ? name.text : std::string_view{});
  bool is_custom = false;
  while (next.kind == TokenKind::dot) {
    next = ahead.next();
    if (!is_name(next.kind)) return add(effect::nameless);
    is_custom = true;
    if (settings_ != nullptr) whole.append(".").append(next.text);
    next = ahead.next();
  }
  if (is_custom) custom(std::move(whole));
  // In a search_path it is where later statements create, without a word that tells.
  for (; next.kind != TokenKind::end && next.kind != TokenKind::semicolon; next = ahead.next()) {
    const bool temporary = (is_name(next.kind) && names_temporary_schema(next)) ||
                           (next.kind == TokenKind::string && mentions_temporary_schema(next.text));
    if (temporary) add(effect::unaskable);
  }
}

// Behind set_config and its parenthesis: name, value, is_local.
void BodyReader::set_config(SqlScanner arguments) {
  Token token = arguments.next();
  std::string_view name;
  if (token.kind == TokenKind::string) name = inside_of_string(token.text);
  token = arguments.next();
  const bool named = !name.empty() && is_plain(name) && token.kind == TokenKind::comma;
  int depth = 0;
  int commas = 0;
  bool temporary = false;
  Token last;
  Token one_before;
  for (; token.kind != TokenKind::end; token = arguments.next()) {
    if (token.kind == TokenKind::close && depth-- == 0) break;
    if (token.kind == TokenKind::open) ++depth;
    if (token.kind == TokenKind::comma && depth == 0) ++commas;
    if (token.kind == TokenKind::string) temporary = temporary || mentions_temporary_schema(token.text);
    one_before = last;
    last = token;
  }
  const bool local = commas == 2 && is(last, "true") && one_before.kind == TokenKind::comma;
  if (named && equals_folded(name, "seed")) add(effect::unaskable);
  if (temporary) add(effect::unaskable);
  if (local) return;
  add(effect::state);
  if (!named) return add(effect::nameless);
  if (is_custom_name(name)) custom(std::string(name));
}

void BodyReader::call(const Token& name, SqlScanner arguments) {
  add(effects_of(name, routines_));
  if (name.not_simple || name.text.size() > kMaxName) return;
  switch (built_in_function(name.text, WordKey::of(name.text))) {
    case FunctionKind::set_config:
      return set_config(arguments);
    case FunctionKind::setting:
    case FunctionKind::advisory_lock:
    case FunctionKind::ends_state:
      return add(effect::state);
    case FunctionKind::unaskable:
      return add(effect::state | effect::unaskable);
    default:
      return;
  }
}

void BodyReader::custom(std::string name) {
  if (settings_ == nullptr) return;
  std::transform(name.begin(), name.end(), name.begin(), ascii_lower);
  settings_->push_back(std::move(name));
}

/// Other languages have other tokens: what can run SQL may do so with anything, and certain words say with
/// what.
std::uint8_t read_other(std::string_view body, const EffectMap& routines, const EffectMap& relations) {
  static constexpr std::array<std::string_view, 8> kRunsSql{
      "plpy", "plv8", "execute", "spi", "spi_exec", "spi_execp", "spi_query", "spi_exec_query"};
  static constexpr std::array<std::string_view, 6> kState{"temp",     "temporary", "listen",
                                                          "unlisten", "discard",   "pg_temp"};
  bool runs = false;
  std::uint8_t found = 0;
  for (std::size_t at = 0; at < body.size();) {
    if (!is_identifier_byte(body[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < body.size() && is_identifier_byte(body[end])) ++end;
    Token word;
    word.kind = TokenKind::word;
    word.text = body.substr(at, end - at);
    at = end;
    const auto among = [&](const auto& words) {
      return std::any_of(words.begin(), words.end(), [&](std::string_view other) { return is(word, other); });
    };
    runs = runs || among(kRunsSql) || (word.text.size() > 4 && equals_folded(word.text.substr(0, 4), "spi_"));
    found |= effects_of(word, routines);
    found |= effects_of(word, relations);
    if (among(kState)) found |= effect::state;
    switch (built_in_function(word.text, WordKey::of(word.text))) {
      case FunctionKind::set_config:
        found |= effect::state | effect::nameless;
        break;
      case FunctionKind::setting:
      case FunctionKind::advisory_lock:
      case FunctionKind::ends_state:
        found |= effect::state;
        break;
      case FunctionKind::unaskable:
        found |= effect::state | effect::unaskable;
        break;
      default:
        break;
    }
  }
  return runs ? static_cast<std::uint8_t>(found | effect::dynamic) : std::uint8_t{0};
}

bool raise(EffectMap& map, const std::string& name, std::uint8_t bits) {
  if (bits == 0) return false;
  auto& now = map[name];
  const bool grows = (bits & ~now) != 0;
  now |= bits;
  return grows;
}

}  // namespace

std::uint8_t effects_of(const Token& name, const EffectMap& map) {
  // As the catalogs store it: folded unless it was quoted.
  if (map.empty() || name.text.size() > kMaxName) return 0;
  std::array<char, kMaxName> folded{};
  std::string_view stored = name.text;
  if (name.kind == TokenKind::word) {
    std::transform(stored.begin(), stored.end(), folded.begin(), ascii_lower);
    stored = {folded.data(), stored.size()};
  }
  const auto found = map.find(stored);
  return found == map.end() ? std::uint8_t{0} : found->second;
}

std::string_view inside_of_string(std::string_view constant) {
  const std::size_t quote = constant.find_first_of("'$");
  if (quote == std::string_view::npos) return {};
  std::size_t last = quote;
  if (constant[quote] == '$') last = constant.find('$', quote + 1);
  if (last == std::string_view::npos) return {};
  const std::string_view mark = constant.substr(quote, last + 1 - quote);
  std::string_view inside = constant.substr(last + 1);
  if (inside.ends_with(mark)) inside.remove_suffix(mark.size());
  return inside;
}

std::uint8_t body_effects(std::string_view body, BodyLanguage language, const EffectMap& routines,
                          const EffectMap& relations) {
  return language == BodyLanguage::sql ? BodyReader(routines, relations, nullptr).run(body)
                                       : read_other(body, routines, relations);
}

std::vector<std::string> custom_settings(std::string_view body) {
  static const EffectMap kNone;
  std::vector<std::string> settings;
  static_cast<void>(BodyReader(kNone, kNone, &settings).run(body));
  std::sort(settings.begin(), settings.end());
  settings.erase(std::unique(settings.begin(), settings.end()), settings.end());
  return settings;
}

void find_effects(std::span<const RoutineSource> sources, FunctionCatalog& catalog) {
  using Source = RoutineSource::Kind;
  // Each round finds at least the callers of what the round before has found.
  bool grows = true;
  for (int round = 0; grows; ++round) {
    grows = false;
    const auto effects = [&](const RoutineSource& source, const EffectMap& relations) {
      return round < kMaxRounds ? body_effects(source.text, source.language, catalog.routines, relations)
                                : effect::state;
    };
    for (const auto& source : sources) {
      switch (source.kind) {
        case Source::routine:  // it may write whatever it names
          grows = raise(catalog.routines, source.name, effects(source, catalog.written)) || grows;
          break;
        case Source::relation:
          grows = raise(catalog.relations, source.name, effects(source, catalog.relations)) || grows;
          [[fallthrough]];
        case Source::written:
          grows = raise(catalog.written, source.name, effects(source, catalog.written)) || grows;
          break;
        case Source::event_trigger:
          catalog.definition_effects |= effects(source, catalog.written);
          break;
      }
    }
  }
  for (const auto& source : sources) {
    if (source.language != BodyLanguage::sql) continue;
    if (source.kind == Source::routine && !catalog.routines.contains(source.name)) continue;
    auto names = custom_settings(source.text);
    std::move(names.begin(), names.end(), std::back_inserter(catalog.settings));
  }
  auto& settings = catalog.settings;
  std::sort(settings.begin(), settings.end());
  settings.erase(std::unique(settings.begin(), settings.end()), settings.end());
  if (settings.size() <= kMaxSettings) return;
  settings.clear();
  for (auto* map : {&catalog.routines, &catalog.relations, &catalog.written}) {
    for (auto& [name, bits] : *map) bits |= effect::nameless;
  }
}

}  // namespace tidemark::routing
