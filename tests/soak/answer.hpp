#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::soak {

struct Message {
  char type = 0;
  std::string body;
};

using Row = std::vector<std::optional<std::string>>;

/// All that came for one question, up to ReadyForQuery. ParameterStatus and NotificationResponse are not in
/// here: Connection keeps them.
struct Answer {
  std::vector<Message> messages;

  /// The types in order, with D and d once however many came: "TDCZ".
  [[nodiscard]] std::string shape() const;
  /// Of ReadyForQuery: I, T or E.
  [[nodiscard]] char status() const;
  [[nodiscard]] std::vector<Row> rows() const;
  /// The tag of the n-th CommandComplete; empty if there are not so many.
  [[nodiscard]] std::string tag(std::size_t n = 0) const;
  /// Of the first ErrorResponse; empty without one.
  [[nodiscard]] std::string sqlstate() const;
  [[nodiscard]] std::string error_text() const;
  /// Of the first message of that type; null if there is none.
  [[nodiscard]] const Message* find(char type) const;
};

/// A DataRow's columns. Throws Wrong for a malformed one.
[[nodiscard]] Row parse_row(std::string_view body);
/// SQLSTATE and message text of an ErrorResponse or NoticeResponse. Throws Wrong for a malformed one.
[[nodiscard]] std::string error_code(std::string_view body);
[[nodiscard]] std::string error_message(std::string_view body);

}  // namespace tidemark::soak
