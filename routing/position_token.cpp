#include "routing/position_token.hpp"

#include <array>
#include <optional>
#include <span>

#include "routing/crc32c.hpp"

namespace tidemark::routing {
namespace {

constexpr std::string_view kPrefix = "tm1.";
constexpr std::size_t kPositionBytes = 20;
constexpr std::size_t kBytes = kPositionBytes + 4;
static_assert(kBytes % 3 == 0, "base64 without a rest has one spelling and needs no padding");
static_assert(kPositionTokenSize == kPrefix.size() + kBytes / 3 * 4);

// RFC 4648, section 5.
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kNoDigit = 64;

constexpr std::array<std::uint8_t, 256> make_digits() {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i)
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  return digits;
}
constexpr auto kDigits = make_digits();

std::uint32_t checksum(std::span<const std::uint8_t> bytes) {
  Crc32c crc;
  for (const std::uint8_t byte : bytes) crc.add(byte);
  return crc.value();
}

using Bytes = std::array<std::uint8_t, kBytes>;

// Most significant byte first.
void put(Bytes& bytes, std::size_t at, std::size_t size, std::uint64_t value) {
  for (std::size_t i = size; i-- > 0; value >>= 8U) bytes[at + i] = static_cast<std::uint8_t>(value & 0xFFU);
}
std::uint64_t get(const Bytes& bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8U | bytes[at + i];
  return value;
}

bool is_of_other_version(std::string_view text) {
  if (!text.starts_with("tm")) return false;
  std::size_t digits = 2;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  return digits > 2 && digits < text.size() && text[digits] == '.';
}

std::optional<Bytes> decode(std::string_view text) {
  Bytes bytes;
  for (std::size_t group = 0; group < kBytes / 3; ++group) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint8_t digit = kDigits[static_cast<unsigned char>(text[group * 4 + i])];
      if (digit == kNoDigit) return std::nullopt;
      bits = bits << 6U | digit;
    }
    put(bytes, group * 3, 3, bits);
  }
  return bytes;
}

}  // namespace

std::string_view to_string(TokenFault fault) {
  switch (fault) {
    case TokenFault::malformed:
      return "malformed";
    case TokenFault::other_version:
      return "of another version";
    case TokenFault::damaged:
      return "damaged";
  }
  return "unknown";
}

std::string print_position_token(const WalPosition& position) {
  Bytes bytes{};
  put(bytes, 0, 8, position.system_identifier);
  put(bytes, 8, 4, position.timeline.value);
  put(bytes, 12, 8, position.lsn.value);
  put(bytes, kPositionBytes, 4, checksum(std::span(bytes).first(kPositionBytes)));
  std::string text(kPrefix);
  for (std::size_t at = 0; at < kBytes; at += 3) {
    const std::uint64_t bits = get(bytes, at, 3);
    for (unsigned shift = 24; shift != 0;) text += kAlphabet[(bits >> (shift -= 6U)) & 63U];
  }
  return text;
}

std::variant<WalPosition, TokenFault> parse_position_token(std::string_view text) {
  if (!text.starts_with(kPrefix))
    return is_of_other_version(text) ? TokenFault::other_version : TokenFault::malformed;
  if (text.size() != kPositionTokenSize) return TokenFault::malformed;
  const auto bytes = decode(text.substr(kPrefix.size()));
  if (!bytes) return TokenFault::malformed;
  if (get(*bytes, kPositionBytes, 4) != checksum(std::span(*bytes).first(kPositionBytes)))
    return TokenFault::damaged;
  return WalPosition{
      get(*bytes, 0, 8), {static_cast<std::uint32_t>(get(*bytes, 8, 4))}, {get(*bytes, 12, 8)}};
}

}  // namespace tidemark::routing
