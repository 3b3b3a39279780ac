#include "config/text.hpp"

#include <algorithm>
#include <cstddef>

namespace tidemark::config {
namespace {

constexpr std::size_t longest_quote = 80;

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

bool continues_sequence(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  bool cut = false;
  if (text.size() > longest_quote) {
    std::size_t end = longest_quote;
    while (end > 0 && continues_sequence(text[end])) --end;
    text = text.substr(0, end);
    cut = true;
  }
  std::string result = "\"";
  for (const char c : text) {
    if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (is_control(c)) {
      constexpr std::string_view digits = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      result += "\\x";
      result += digits[byte >> 4U];
      result += digits[byte & 0x0fU];
    } else {
      result += c;
    }
  }
  if (cut) result += "…";
  return result + '"';
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_control);
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

}  // namespace tidemark::config
