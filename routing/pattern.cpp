#include "routing/pattern.hpp"

#include "routing/word_table.hpp"

namespace tidemark::routing {
namespace {

/// Goes over a text byte by byte.
class Bytes {
 public:
  explicit Bytes(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  [[nodiscard]] bool done() const { return at_ == end_; }
  [[nodiscard]] char now() const { return *at_; }
  void step() { ++at_; }

 protected:
  const char* at_;
  const char* end_;
};

class BytesInAnyCase : public Bytes {
 public:
  using Bytes::Bytes;
  [[nodiscard]] char now() const { return ascii_lower(*at_); }
};

// PostgreSQL's scanner, and since version 16 the vertical tab.
constexpr bool is_white_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

constexpr std::string_view without_ends(std::string_view text) {
  while (!text.empty() && is_white_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && (is_white_space(text.back()) || text.back() == ';')) text.remove_suffix(1);
  return text;
}

/// One blank for each run of white space, letters in lower case.
class StatementBytes : public Bytes {
 public:
  explicit StatementBytes(std::string_view text) : Bytes(without_ends(text)) {}

  [[nodiscard]] char now() const { return is_white_space(*at_) ? ' ' : ascii_lower(*at_); }
  void step() {
    const bool blank = is_white_space(*at_);
    ++at_;
    while (blank && at_ != end_ && is_white_space(*at_)) ++at_;
  }
};

// A star takes as little as it can; when what follows it does not fit, the last star takes one byte more. An
// earlier one never has to: what it took was the shortest that let the pieces up to the last star fit.
template <typename Reader>
bool match(Reader pattern, Reader text) {
  Reader after_star = pattern;
  Reader taken = text;
  bool starred = false;
  while (!text.done()) {
    if (!pattern.done() && pattern.now() == '*') {
      pattern.step();
      if (pattern.done()) return true;
      after_star = pattern;
      taken = text;
      starred = true;
    } else if (!pattern.done() && pattern.now() == text.now()) {
      pattern.step();
      text.step();
    } else if (starred) {
      taken.step();
      text = taken;
      pattern = after_star;
    } else {
      return false;
    }
  }
  while (!pattern.done() && pattern.now() == '*') pattern.step();
  return pattern.done();
}

}  // namespace

bool matches(std::string_view pattern, std::string_view text) {
  return match(Bytes(pattern), Bytes(text));
}

bool matches_in_any_case(std::string_view pattern, std::string_view text) {
  return match(BytesInAnyCase(pattern), BytesInAnyCase(text));
}

bool matches_statement(std::string_view pattern, std::string_view text) {
  return match(StatementBytes(pattern), StatementBytes(text));
}

}  // namespace tidemark::routing
