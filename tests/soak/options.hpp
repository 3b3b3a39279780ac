#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tidemark::soak {

struct Options {
  std::uint16_t port = 0;
  std::vector<std::string> users;  ///< each as name:password
  std::vector<std::string> databases;
  std::uint32_t clients = 200;
  double seconds = 20;
  std::uint64_t seed = 1;
  double think_ms = 50;         ///< mean pause between a client's operations
  double vanish = 0.02;         ///< share of operations in which a client goes away somewhere
  double stay = 40;             ///< mean number of operations of a connection
  std::uint32_t patience = 60;  ///< seconds until a client counts as stuck
  std::string only;             ///< operations whose name contains this; empty: all
};

[[nodiscard]] std::string usage();
/// Nothing if they make no sense; `error` says why.
[[nodiscard]] std::optional<Options> parse_options(int count, char** arguments, std::string& error);

}  // namespace tidemark::soak
