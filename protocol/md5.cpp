#include "protocol/md5.hpp"

#include <array>

#include <openssl/evp.h>

#include "protocol/scram.hpp"

namespace tidemark::protocol {

namespace {

std::optional<std::string> md5_hex(std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_md5(), nullptr) != 1)
    return std::nullopt;
  return to_hex({reinterpret_cast<const char*>(digest.data()), size});
}

}  // namespace

std::optional<std::string> md5_stored_digits(std::string_view password, std::string_view user) {
  return md5_hex(std::string(password).append(user));
}

std::optional<std::string> md5_response(std::string_view stored_digits, std::string_view salt) {
  const auto digits = md5_hex(std::string(stored_digits).append(salt));
  if (!digits) return std::nullopt;
  return "md5" + *digits;
}

}  // namespace tidemark::protocol
