// Whatever the text, loading ends, does not crash, and gives a configuration or an error, never both or
// neither.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "config/load.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // The same bytes are the users file and the password file, so that their readers are met too.
  const FileSource source = [&](const std::filesystem::path&) {
    return FileText{std::string(text), "", size % 2 == 0};
  };
  const LoadResult result = load_text(text, "fuzz.toml", "/", source);
  if (result.config.has_value() == has_errors(result.problems)) std::abort();
  for (const Problem& problem : result.problems) {
    // One line per problem, whatever stood in the file.
    if (problem.message.empty() || to_string(problem).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
