#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "config/load.hpp"

namespace tidemark::proxy {

/// Applies a changed configuration to the running process: all of it that can be applied, or, if anything is
/// wrong, nothing. On the control thread.
class Reloader {
 public:
  /// Prepares what it takes from the new configuration and returns how to publish it, which cannot fail.
  /// Throws std::exception when something is wrong; its text is for the log and the operator.
  using Part = std::function<std::function<void()>(const config::Config& next)>;

  /// `started`: what the process was started with from `file`.
  Reloader(std::filesystem::path file, config::LoadResult started);

  /// Parts prepare, and then publish, in the order in which they were added.
  void add(Part part) { parts_.push_back(std::move(part)); }

  struct Outcome {
    bool applied = false;
    std::vector<std::string> problems;       ///< lines; not applied: why. Otherwise they are warnings
    std::vector<std::string> changed;        ///< keys that were applied
    std::vector<std::string> needs_restart;  ///< keys that were not, and differ from those at the start
  };
  /// Reads the file and what it names again.
  [[nodiscard]] Outcome reload();
  /// The file as it was last applied, keys that need a restart included.
  [[nodiscard]] const config::Document& current() const { return current_; }

 private:
  std::filesystem::path file_;
  config::Document started_;
  config::Document current_;
  std::vector<Part> parts_;
};

}  // namespace tidemark::proxy
