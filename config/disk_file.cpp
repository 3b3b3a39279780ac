#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "config/load.hpp"

namespace tidemark::config {
namespace {

constexpr std::uintmax_t largest_file = 16U << 20U;

FileText failed(std::string why) {
  return {std::nullopt, std::move(why), false};
}

}  // namespace

FileText read_disk_file(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (error) return failed(error.message());
  // A pipe or a device could keep us waiting for ever.
  if (!std::filesystem::is_regular_file(status)) {
    return failed(std::filesystem::is_directory(status) ? "it is a directory" : "it is not a regular file");
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return failed(error.message());
  if (size > largest_file) return failed("it is larger than 16 MiB");

  std::ifstream stream(path, std::ios::binary);
  if (!stream) return failed("it cannot be opened, see its permissions");
  std::string text(static_cast<std::size_t>(size), '\0');
  stream.read(text.data(), static_cast<std::streamsize>(size));
  // It may have shrunk since; it cannot be said to be read in whole if anything else went wrong.
  if (stream.bad()) return failed("reading it failed");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  const bool others =
      (status.permissions() & std::filesystem::perms::others_read) != std::filesystem::perms::none;
  return {std::move(text), "", others};
}

}  // namespace tidemark::config
