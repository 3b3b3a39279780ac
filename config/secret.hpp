#pragma once

#include <iosfwd>
#include <string>
#include <utility>

namespace tidemark::config {

/// A password, a SCRAM verifier or an md5 hash. It has no way into a stream, a log line or an error text:
/// whoever needs the text asks for it by name, and every such place is found by searching for `reveal`.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}

  /// The secret itself. Never pass it to anything that prints.
  [[nodiscard]] const std::string& reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;

 private:
  std::string text_;
};

}  // namespace tidemark::config
