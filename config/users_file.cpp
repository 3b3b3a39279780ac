#include "config/users_file.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "config/document.hpp"
#include "config/schema.hpp"
#include "config/text.hpp"
#include "config/toml_reader.hpp"

namespace tidemark::config {
namespace {

constexpr std::string_view scram_prefix = "SCRAM-SHA-256$";
constexpr std::size_t sha256_in_base64 = 44;
constexpr std::size_t md5_length = 3 + 32;
constexpr std::size_t most_iteration_digits = 9;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_base64(std::string_view text) {
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  return !text.empty() && text.size() % 4 == 0 &&
         std::all_of(text.begin(), text.end() - static_cast<std::ptrdiff_t>(padding), [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
         });
}

/// What follows the prefix: <iterations>:<salt>$<StoredKey>:<ServerKey>.
bool is_scram_body(std::string_view body) {
  const std::size_t first = body.find(':');
  const std::size_t dollar = body.find('$');
  const std::size_t second = body.rfind(':');
  if (dollar == std::string_view::npos || first >= dollar || second == std::string_view::npos ||
      second <= dollar) {
    return false;
  }
  const std::string_view iterations = body.substr(0, first);
  const std::string_view salt = body.substr(first + 1, dollar - first - 1);
  const std::string_view stored_key = body.substr(dollar + 1, second - dollar - 1);
  const std::string_view server_key = body.substr(second + 1);
  return !iterations.empty() && iterations.size() <= most_iteration_digits && iterations.front() != '0' &&
         std::all_of(iterations.begin(), iterations.end(), is_digit) && is_base64(salt) &&
         stored_key.size() == sha256_in_base64 && is_base64(stored_key) &&
         server_key.size() == sha256_in_base64 && is_base64(server_key);
}

}  // namespace

SecretForm form_of(const Secret& secret) {
  const std::string_view text = secret.reveal();
  if (text.starts_with(scram_prefix)) {
    return is_scram_body(text.substr(scram_prefix.size())) ? SecretForm::scram_sha_256
                                                           : SecretForm::malformed;
  }
  const bool hash =
      text.size() == md5_length && text.starts_with("md5") &&
      std::all_of(text.begin() + 3, text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
  return hash ? SecretForm::md5 : SecretForm::plain;
}

UsersResult read_users(std::string_view text, std::string_view file_name, AuthMethod method) {
  Reading reading = read_toml(text, file_name, users_schema());
  UsersResult result;
  result.problems = std::move(reading.problems);
  const auto report = [&](Severity severity, Position where, std::string message) {
    result.problems.push_back({severity, std::string(file_name), where, std::move(message)});
  };

  const std::vector<Document>& tables = reading.document.list("user");
  if (tables.empty() && !has_errors(result.problems)) {
    report(Severity::warning, {}, "there is no [[user]] in this file, so nobody can log in");
  }
  std::map<std::string, Position> seen;
  for (const Document& table : tables) {
    const Entry* name_entry = table.find("user.name");
    const Entry* password_entry = table.find("user.password");
    if (name_entry == nullptr) report(Severity::error, table.at, "\"user.name\" is missing");
    if (password_entry == nullptr) report(Severity::error, table.at, "\"user.password\" is missing");
    const auto* name = table.get<std::string>("user.name");
    const auto* password = table.get<std::string>("user.password");
    if (name != nullptr) {
      const auto [first, fresh] = seen.try_emplace(*name, name_entry->value_at);
      if (!fresh) {
        report(Severity::error, name_entry->value_at,
               "user " + in_quotes(*name) + " is named twice, first in line " +
                   std::to_string(first->second.line));
      }
    }
    if (name == nullptr || password == nullptr) continue;

    User user{*name, Secret(*password)};
    const SecretForm form = form_of(user.password);
    if (form == SecretForm::malformed) {
      report(Severity::error, password_entry->value_at,
             "the password of user " + in_quotes(*name) +
                 " begins like a SCRAM-SHA-256 verifier but is none: copy pg_authid.rolpassword whole");
    } else if (form == SecretForm::md5 && method == AuthMethod::scram_sha_256) {
      report(Severity::warning, password_entry->value_at,
             "user " + in_quotes(*name) + " cannot log in: an md5 hash does not serve \"scram-sha-256\"");
    }
    result.users.push_back(std::move(user));
  }
  return result;
}

}  // namespace tidemark::config
