#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <optional>
#include <ostream>
#include <string_view>

namespace tidemark::protocol {

/// A five-character error code (manual, appendix A): digits and upper-case ASCII letters.
class Sqlstate {
 public:
  /// 00000, successful completion.
  constexpr Sqlstate() = default;

  /// From a literal: `Sqlstate{"28P01"}`. A literal of another length does not compile.
  explicit constexpr Sqlstate(const char (&literal)[6]) {
    for (std::size_t i = 0; i < code_.size(); ++i) code_[i] = literal[i];
  }

  /// From bytes of a peer; nothing unless they are five digits or upper-case letters.
  [[nodiscard]] static constexpr std::optional<Sqlstate> parse(std::string_view text) {
    if (text.size() != 5) return std::nullopt;
    Sqlstate state;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'))) return std::nullopt;
      state.code_[i] = c;
    }
    return state;
  }

  /// Lives as long as this object.
  [[nodiscard]] constexpr std::string_view text() const { return {code_.data(), code_.size()}; }
  /// The first two characters: 08 connection exception, 40 transaction rollback, …
  [[nodiscard]] constexpr std::string_view code_class() const { return text().substr(0, 2); }

  friend constexpr auto operator<=>(const Sqlstate&, const Sqlstate&) = default;

 private:
  std::array<char, 5> code_{'0', '0', '0', '0', '0'};
};

inline std::ostream& operator<<(std::ostream& out, const Sqlstate& state) {
  return out << state.text();
}

/// The codes that this room itself sends (manual, appendix A).
namespace sqlstate {
inline constexpr Sqlstate protocol_violation{"08P01"};
inline constexpr Sqlstate feature_not_supported{"0A000"};
inline constexpr Sqlstate invalid_parameter_value{"22023"};
inline constexpr Sqlstate invalid_authorization_specification{"28000"};
inline constexpr Sqlstate invalid_password{"28P01"};
inline constexpr Sqlstate syntax_error{"42601"};
}  // namespace sqlstate

}  // namespace tidemark::protocol
