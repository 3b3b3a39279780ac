#include "tests/consistency/violation.hpp"

#include <algorithm>

namespace tidemark::consistency {
namespace {

std::string milliseconds(std::int64_t nanoseconds) {
  const std::int64_t microseconds = nanoseconds / 1000;
  std::string fraction = std::to_string(microseconds % 1000);
  return std::to_string(microseconds / 1000) + "." +
         std::string(3 - std::min<std::size_t>(3, fraction.size()), '0') + fraction + " ms";
}

std::string who(const Operation& operation) {
  std::string text = "session " + std::to_string(operation.session);
  if (operation.user != operation.session) text += " of user " + std::to_string(operation.user);
  return text;
}

std::string what(const Operation& operation, std::int64_t origin) {
  return (operation.kind == OperationKind::read ? "read " : "wrote ") + std::to_string(operation.version) +
         " at node " + std::to_string(operation.node) + " from " + milliseconds(operation.start - origin) +
         " to " + milliseconds(operation.end - origin);
}

}  // namespace

std::string_view name_of(ViolationKind kind) {
  switch (kind) {
    case ViolationKind::stale_read:
      return "stale_read";
    case ViolationKind::step_back:
      return "step_back";
    case ViolationKind::effect_before_cause:
      return "effect_before_cause";
    case ViolationKind::impossible_version:
      return "impossible_version";
    case ViolationKind::lost_write:
      return "lost_write";
    case ViolationKind::behind_acknowledged:
      return "behind_acknowledged";
    case ViolationKind::behind_read:
      return "behind_read";
    case ViolationKind::write_out_of_order:
      return "write_out_of_order";
    case ViolationKind::over_bound:
      return "over_bound";
  }
  return "?";
}

std::string describe(const Violation& violation, std::int64_t origin) {
  const Operation& wrong = violation.operation;
  std::string text(name_of(violation.kind));
  text += ": " + who(wrong) + ", key " + std::to_string(wrong.key) + ": " + what(wrong, origin);
  if (violation.kind == ViolationKind::impossible_version)
    text += ", though at most " + std::to_string(violation.required) + " had been written";
  if (violation.cause)
    text += "; before: " + who(*violation.cause) + " " + what(*violation.cause, origin);
  else if (violation.kind == ViolationKind::over_bound)
    text += "; at least " + std::to_string(violation.required) + " was required";
  if (violation.origin && violation.origin->end > wrong.end)
    text += "; not acknowledged yet: " + who(*violation.origin) + " " + what(*violation.origin, origin);
  return text;
}

}  // namespace tidemark::consistency
