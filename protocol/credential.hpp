#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "protocol/scram.hpp"

namespace tidemark::protocol {

/// What is known of a user's password. Never printable: there is no way to text but the accessors, and the
/// plain text is overwritten when the object goes.
class Credential {
 public:
  /// From a users file: a SCRAM verifier as PostgreSQL prints it, `md5` and 32 hexadecimal digits, or else
  /// the password itself. Nothing for an empty text, and for one that begins like a verifier and is none.
  [[nodiscard]] static std::optional<Credential> parse(std::string_view text);
  [[nodiscard]] static Credential plain(std::string_view password);
  [[nodiscard]] static Credential scram(ScramVerifier verifier);

  Credential(const Credential&) = default;
  Credential(Credential&&) noexcept = default;
  Credential& operator=(const Credential&);
  Credential& operator=(Credential&&) noexcept;
  ~Credential();

  /// Each is null unless the credential is of that kind. Valid until the object changes or goes.
  [[nodiscard]] const std::string* password() const;
  [[nodiscard]] const ScramVerifier* verifier() const;
  /// The 32 digits: md5(password + user).
  [[nodiscard]] const std::string* md5_digits() const;

  friend bool operator==(const Credential&, const Credential&) = default;
  friend std::ostream& operator<<(std::ostream&, const Credential&) = delete;

 private:
  struct Plain {
    std::string text;
    friend bool operator==(const Plain&, const Plain&) = default;
  };
  struct Md5 {
    std::string digits;
    friend bool operator==(const Md5&, const Md5&) = default;
  };
  using Value = std::variant<Plain, ScramVerifier, Md5>;
  explicit Credential(Value value) : value_(std::move(value)) {}
  void wipe_value();

  Value value_;
};

/// What a successful SCRAM exchange tells of the client beyond its verifier: enough to log in to any server
/// that holds the same verifier (same salt, same iterations). Kept so that a login can take the place of the
/// client.
struct ScramKeys {
  Digest client_key{};
  Digest server_key{};
  std::string salt;
  int iterations = 0;
  friend bool operator==(const ScramKeys&, const ScramKeys&) = default;
  friend std::ostream& operator<<(std::ostream&, const ScramKeys&) = delete;
};

}  // namespace tidemark::protocol
