#pragma once

#include <cstdint>
#include <string_view>

namespace tidemark::protocol {

/// What Describe of a prepared statement, or of a portal made of it, tells, as two hashes: enough to see
/// whether two servers tell the same.
struct StatementShape {
  std::uint64_t result = 0;      ///< of the columns; `no_rows` for NoData; 0: nobody has told
  std::uint64_t parameters = 0;  ///< of the parameters' types; 0: nobody has told

  static constexpr std::uint64_t no_rows = 1;
  [[nodiscard]] bool is_known() const { return result != 0; }
  [[nodiscard]] bool has_rows() const { return result > no_rows; }
  /// What was told of `other` is certain to hold for this.
  [[nodiscard]] bool covers(const StatementShape& other) const {
    return result == other.result && (other.parameters == 0 || parameters == other.parameters);
  }
  /// The two are certain to differ.
  [[nodiscard]] bool contradicts(const StatementShape& other) const {
    return (result != 0 && other.result != 0 && result != other.result) ||
           (parameters != 0 && other.parameters != 0 && parameters != other.parameters);
  }
  /// Takes over what `other` tells; Describe of a portal tells nothing of parameters.
  void learn(const StatementShape& other) {
    if (other.result != 0) result = other.result;
    if (other.parameters != 0) parameters = other.parameters;
  }
  bool operator==(const StatementShape&) const = default;
};

/// Hash of a RowDescription's body: how many columns, and the name, type and type modifier of each. Not of
/// their formats, which Bind chooses, nor of the tables they come from. Of a body that is not `whole`, and of
/// one that is malformed, only the count. Never 0 or `no_rows`.
[[nodiscard]] std::uint64_t result_shape(std::string_view row_description, bool whole);
/// Hash of a ParameterDescription's body. Never 0.
[[nodiscard]] std::uint64_t parameters_shape(std::string_view parameter_description, bool whole);

}  // namespace tidemark::protocol
