#include "protocol/credential.hpp"

#include <utility>

namespace tidemark::protocol {

std::optional<Credential> Credential::parse(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (text.starts_with("SCRAM-SHA-256$")) {
    // PostgreSQL would take a damaged verifier for a password; in a users file it is a mistake to be told.
    auto verifier = parse_scram_verifier(text);
    if (!verifier) return std::nullopt;
    return scram(std::move(*verifier));
  }
  constexpr std::string_view md5_prefix = "md5";
  if (text.size() == md5_prefix.size() + 32 && text.starts_with(md5_prefix)) {
    const std::string_view digits = text.substr(md5_prefix.size());
    if (digits.find_first_not_of("0123456789abcdef") == std::string_view::npos) {
      return Credential(Value(Md5{std::string(digits)}));
    }
  }
  return plain(text);
}

Credential Credential::plain(std::string_view password) {
  return Credential(Value(Plain{std::string(password)}));
}

Credential Credential::scram(ScramVerifier verifier) {
  return Credential(Value(std::move(verifier)));
}

Credential& Credential::operator=(const Credential& other) {
  if (this != &other) {
    wipe_value();
    value_ = other.value_;
  }
  return *this;
}

Credential& Credential::operator=(Credential&& other) noexcept {
  if (this != &other) {
    wipe_value();
    value_ = std::move(other.value_);
  }
  return *this;
}

Credential::~Credential() {
  wipe_value();
}

void Credential::wipe_value() {
  if (auto* secret = std::get_if<Plain>(&value_)) wipe(secret->text);
  if (auto* secret = std::get_if<Md5>(&value_)) wipe(secret->digits);
}

const std::string* Credential::password() const {
  const auto* value = std::get_if<Plain>(&value_);
  return value == nullptr ? nullptr : &value->text;
}

const ScramVerifier* Credential::verifier() const {
  return std::get_if<ScramVerifier>(&value_);
}

const std::string* Credential::md5_digits() const {
  const auto* value = std::get_if<Md5>(&value_);
  return value == nullptr ? nullptr : &value->digits;
}

}  // namespace tidemark::protocol
