#pragma once

#include <cstdint>
#include <random>

#include "tests/consistency/driver_options.hpp"
#include "tests/consistency/driver_units.hpp"

namespace tidemark::consistency {

enum class Role : std::uint8_t { writer, counter_writer, counter_reader, shared, user };

// What one user does next: which keys it reads and writes, in which kind of transaction.
class RolePlayer {
 public:
  // `options` must outlive it.
  RolePlayer(Role role, std::uint32_t own_key, const DriverOptions& options, std::uint64_t seed);

  // `pipelines`: the connection sends a share of its units as one.
  Unit next(bool pipelines);
  // How long the user thinks before that, in ns.
  std::int64_t think();

  bool chance(double share) { return std::uniform_real_distribution<double>(0, 1)(random_) < share; }
  // One of `count` numbers from 0 on.
  std::uint32_t any(std::uint32_t count) {
    return std::uniform_int_distribution<std::uint32_t>(0, count - 1)(random_);
  }

 private:
  struct Choice {
    bool writes;
    std::uint32_t key;
  };
  Choice choose();
  std::uint32_t some_key();
  Unit reading(std::uint32_t key, bool pipelined);
  Unit writing(std::uint32_t key, bool pipelined);

  const Role role_;
  const std::uint32_t own_key_;
  const DriverOptions& options_;
  std::mt19937_64 random_;
  std::uint32_t reads_due_ = 0;    // before the next write of a writer or user
  std::uint32_t written_key_ = 0;  // of a user: the last one
};

}  // namespace tidemark::consistency
