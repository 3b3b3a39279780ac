#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidemark::protocol {

/// The 32 lower-case digits of md5(password + user): what PostgreSQL stores behind the prefix `md5`. Nothing
/// where the crypto library refuses MD5 (FIPS mode).
[[nodiscard]] std::optional<std::string> md5_stored_digits(std::string_view password, std::string_view user);

/// The answer to AuthenticationMD5Password: `md5` and the digits of md5(stored digits + salt).
[[nodiscard]] std::optional<std::string> md5_response(std::string_view stored_digits, std::string_view salt);

}  // namespace tidemark::protocol
