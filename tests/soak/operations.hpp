#pragma once

#include <string_view>
#include <vector>

#include "tests/soak/session.hpp"
#include "tests/soak/task.hpp"

namespace tidemark::soak {

/// Something that a client does: begins and ends outside a transaction, and leaves nothing in the session but
/// what Session notes. Throws what outcome.hpp names.
struct Operation {
  std::string_view name;
  unsigned weight;
  Task<> (*run)(Session&);
};

// One file each.
[[nodiscard]] std::vector<Operation> simple_operations();
[[nodiscard]] std::vector<Operation> extended_operations();
[[nodiscard]] std::vector<Operation> pipeline_operations();
[[nodiscard]] std::vector<Operation> transaction_operations();
[[nodiscard]] std::vector<Operation> setting_operations();
[[nodiscard]] std::vector<Operation> pinning_operations();
[[nodiscard]] std::vector<Operation> copy_operations();
[[nodiscard]] std::vector<Operation> cancel_operations();

}  // namespace tidemark::soak
