#include "protocol/scram.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <stdexcept>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "protocol/saslprep.hpp"

namespace tidemark::protocol {

namespace {

const unsigned char* octets(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text up to `separator`, which is taken off `rest` together with it; nothing if there is none.
std::optional<std::string_view> take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return taken;
}

}  // namespace

Digest sha256(std::string_view data) {
  Digest digest{};
  if (EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("SHA-256 failed in the crypto library");
  }
  return digest;
}

Digest hmac_sha256(std::string_view key, std::string_view data) {
  Digest digest{};
  unsigned int size = 0;
  // A null key would mean "the key of the last call", so an empty one still needs an address.
  const void* key_bytes = key.empty() ? "" : key.data();
  if (HMAC(EVP_sha256(), key_bytes, static_cast<int>(key.size()), octets(data), data.size(), digest.data(),
           &size) == nullptr) {
    throw std::runtime_error("HMAC failed in the crypto library");
  }
  return digest;
}

Digest exclusive_or(const Digest& a, const Digest& b) {
  Digest result{};
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<unsigned char>(a[i] ^ b[i]);
  return result;
}

bool constant_time_equal(const Digest& a, const Digest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::string& secret) {
  // What the string once held can also lie behind its end; growing into its reserve reallocates nothing.
  secret.resize(secret.capacity());
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

void wipe(Digest& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto octet = static_cast<unsigned char>(c);
    text.push_back(digits[octet >> 4U]);
    text.push_back(digits[octet & 15U]);
  }
  return text;
}

std::string base64_encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = (group << 8U) | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text.push_back(i <= count ? base64_alphabet[(group >> (18U - 6U * i)) & 63U] : '=');
    }
  }
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool is_last = at + 4 == text.size();
    std::size_t padding = 0;
    if (is_last && text[at + 3] == '=') padding = text[at + 2] == '=' ? 2 : 1;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      std::size_t value = 0;
      if (i < 4 - padding) {
        value = base64_alphabet.find(text[at + i]);
        if (value == std::string_view::npos) return std::nullopt;
      }
      group = (group << 6U) | static_cast<std::uint32_t>(value);
    }
    // Bits that padding cuts off have to be zero, or two texts would stand for the same bytes.
    if ((padding == 1 && (group & 0xffU) != 0) || (padding == 2 && (group & 0xffffU) != 0))
      return std::nullopt;
    for (std::size_t i = 0; i < 3 - padding; ++i) {
      bytes.push_back(static_cast<char>(static_cast<unsigned char>((group >> (16U - 8U * i)) & 0xffU)));
    }
  }
  return bytes;
}

std::optional<Digest> digest_from_base64(std::string_view text) {
  const auto bytes = base64_decode(text);
  Digest digest{};
  if (!bytes || bytes->size() != digest.size()) return std::nullopt;
  std::copy_n(octets(*bytes), digest.size(), digest.begin());
  return digest;
}

Digest salted_password(std::string_view password, std::string_view salt, int iterations) {
  Digest digest{};
  std::string prepared = saslprep(password);
  const int done = PKCS5_PBKDF2_HMAC(prepared.c_str(), static_cast<int>(prepared.size()), octets(salt),
                                     static_cast<int>(salt.size()), iterations, EVP_sha256(),
                                     static_cast<int>(digest.size()), digest.data());
  wipe(prepared);
  if (done != 1) throw std::runtime_error("PBKDF2 failed in the crypto library");
  return digest;
}

Digest client_key(const Digest& salted_password) {
  return hmac_sha256(as_bytes(salted_password), "Client Key");
}

Digest server_key(const Digest& salted_password) {
  return hmac_sha256(as_bytes(salted_password), "Server Key");
}

Digest stored_key(const Digest& client_key) {
  return sha256(as_bytes(client_key));
}

ScramVerifier make_verifier(std::string_view password, std::string_view salt, int iterations) {
  Digest salted = salted_password(password, salt, iterations);
  Digest client = client_key(salted);
  ScramVerifier verifier{iterations, std::string(salt), stored_key(client), server_key(salted)};
  wipe(salted);
  wipe(client);
  return verifier;
}

std::optional<ScramVerifier> parse_scram_verifier(std::string_view text) {
  constexpr std::string_view prefix = "SCRAM-SHA-256$";
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  const auto iterations = take_until(text, ':');
  const auto salt_text = take_until(text, '$');
  const auto stored_text = take_until(text, ':');
  if (!iterations || !salt_text || !stored_text) return std::nullopt;

  ScramVerifier verifier;
  const auto [end, error] =
      std::from_chars(iterations->data(), iterations->data() + iterations->size(), verifier.iterations);
  if (error != std::errc{} || end != iterations->data() + iterations->size()) return std::nullopt;
  if (verifier.iterations < 1 || verifier.iterations > max_scram_iterations) return std::nullopt;
  auto salt = base64_decode(*salt_text);
  const auto stored = digest_from_base64(*stored_text);
  const auto server = digest_from_base64(text);
  if (!salt || salt->empty() || !stored || !server) return std::nullopt;
  verifier.salt = std::move(*salt);
  verifier.stored_key = *stored;
  verifier.server_key = *server;
  return verifier;
}

std::string print_scram_verifier(const ScramVerifier& verifier) {
  return "SCRAM-SHA-256$" + std::to_string(verifier.iterations) + ":" + base64_encode(verifier.salt) + "$" +
         base64_encode(as_bytes(verifier.stored_key)) + ":" + base64_encode(as_bytes(verifier.server_key));
}

std::string derive_salt(std::string_view process_secret, std::string_view user) {
  const Digest digest = hmac_sha256(process_secret, std::string("tidemark salt ").append(user));
  return std::string(as_bytes(digest).substr(0, scram_salt_length));
}

}  // namespace tidemark::protocol
