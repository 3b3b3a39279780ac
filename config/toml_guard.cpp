#include "config/toml_guard.hpp"

#include <cstddef>
#include <cstdint>

namespace tidemark::config {
namespace {

constexpr std::size_t deepest_key = 64;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

class Guard {
 public:
  explicit Guard(std::string_view text) : text_(text) {}

  std::optional<GuardFault> run() {
    if (text_.starts_with(byte_order_mark)) at_ = byte_order_mark.size();
    while (at_ < text_.size() && !fault_) {
      switch (inside_) {
        case Inside::nothing:
          step_outside();
          break;
        case Inside::comment:
          if (text_[at_] == '\n') inside_ = Inside::nothing;
          break;
        case Inside::line_string:
          step_in_line_string();
          break;
        case Inside::text_string:
          step_in_text_string();
          break;
      }
      advance(1);
    }
    return fault_;
  }

 private:
  enum class Inside : std::uint8_t { nothing, comment, line_string, text_string };

  void advance(std::size_t count) {
    for (; count > 0 && at_ < text_.size(); --count, ++at_) {
      if (text_[at_] == '\n') {
        place_ = {place_.line + 1, 1};
      } else if ((static_cast<unsigned char>(text_[at_]) & 0xc0U) != 0x80U) {
        ++place_.column;
      }
    }
  }

  [[nodiscard]] bool three_quotes() const {
    return text_.size() - at_ >= 3 && text_[at_ + 1] == quote_ && text_[at_ + 2] == quote_ &&
           text_[at_] == quote_;
  }
  [[nodiscard]] bool at_escape() const {
    return quote_ == '"' && text_[at_] == '\\' && at_ + 1 < text_.size() &&
           (text_[at_ + 1] == '"' || text_[at_ + 1] == '\\');
  }
  [[nodiscard]] bool beyond_ascii() const { return static_cast<unsigned char>(text_[at_]) >= 0x80U; }

  void step_outside() {
    const char c = text_[at_];
    if (beyond_ascii()) {
      fault_ = {place_, "only comments and strings may hold characters beyond ASCII"};
    } else if (c == '#') {
      inside_ = Inside::comment;
    } else if (c == '"' || c == '\'') {
      quote_ = c;
      inside_ = three_quotes() ? Inside::text_string : Inside::line_string;
      if (inside_ == Inside::text_string) advance(2);
    } else if (c == '.') {
      if (++dots_ >= deepest_key) {
        fault_ = {place_, "a key of more than " + std::to_string(deepest_key) + " parts"};
      }
    } else if (std::string_view("=,[]{}\n").find(c) != std::string_view::npos) {
      dots_ = 0;
    }
  }

  void step_in_line_string() {
    if (at_escape()) {
      advance(1);
    } else if (text_[at_] == quote_ || text_[at_] == '\n') {
      inside_ = Inside::nothing;
    }
  }

  void step_in_text_string() {
    if (beyond_ascii()) {
      fault_ = {place_, "strings of several lines must not hold characters beyond ASCII"};
    } else if (at_escape()) {
      advance(1);
    } else if (three_quotes()) {
      // Up to two more quotes belong to the string: """a""""" holds a"".
      advance(2);
      for (int more = 0; more < 2 && at_ + 1 < text_.size() && text_[at_ + 1] == quote_; ++more) advance(1);
      inside_ = Inside::nothing;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Position place_{1, 1};
  Inside inside_ = Inside::nothing;
  char quote_ = '"';
  std::size_t dots_ = 0;
  std::optional<GuardFault> fault_;
};

}  // namespace

std::optional<GuardFault> guard(std::string_view text) {
  return Guard(text).run();
}

}  // namespace tidemark::config
