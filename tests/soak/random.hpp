#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace tidemark::soak {

/// A client's choices: the same for the same seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// 0 to count - 1; count is at least 1.
  std::uint64_t below(std::uint64_t count) { return engine_() % count; }
  int between(int least, int most) {
    return least + static_cast<int>(below(static_cast<std::uint64_t>(most - least) + 1));
  }
  bool chance(double share) { return std::uniform_real_distribution<>(0, 1)(engine_) < share; }
  double exponential(double mean) {
    return mean > 0 ? std::exponential_distribution<>(1 / mean)(engine_) : 0;
  }
  std::string hex(std::size_t digits) {
    std::string text;
    while (text.size() < digits) text += "0123456789abcdef"[below(16)];
    return text;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace tidemark::soak
