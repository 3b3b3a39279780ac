#include "config/text.hpp"

#include <algorithm>
#include <cstddef>

namespace tidemark::config {
namespace {

constexpr std::size_t longest_quote = 80;
constexpr std::size_t longest_line = 240;

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

bool continues_sequence(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

std::string_view shortened(std::string_view text, std::size_t longest) {
  if (text.size() <= longest) return text;
  std::size_t end = longest;
  while (end > 0 && continues_sequence(text[end])) --end;
  return text.substr(0, end);
}

void append_visibly(char c, std::string& to) {
  constexpr std::string_view digits = "0123456789abcdef";
  if (c == '\n') {
    to += "\\n";
  } else if (c == '\t') {
    to += "\\t";
  } else if (is_control(c)) {
    const auto byte = static_cast<unsigned char>(c);
    to += "\\x";
    to += digits[byte >> 4U];
    to += digits[byte & 0x0fU];
  } else {
    to += c;
  }
}

}  // namespace

std::string in_quotes(std::string_view text) {
  const std::string_view kept = shortened(text, longest_quote);
  std::string result = "\"";
  for (const char c : kept) {
    if (c == '"' || c == '\\') result += '\\';
    append_visibly(c, result);
  }
  if (kept.size() < text.size()) result += "…";
  return result + '"';
}

std::string on_one_line(std::string_view text) {
  const std::string_view kept = shortened(text, longest_line);
  std::string result;
  for (const char c : kept) append_visibly(c, result);
  if (kept.size() < text.size()) result += "…";
  return result;
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
