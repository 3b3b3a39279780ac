#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/errc.hpp"

namespace tidemark::protocol {

/// The four bytes at `at` as a big-endian number. The caller has checked that they are there.
[[nodiscard]] inline std::uint32_t load_uint32(const char* at) {
  const auto octet = [at](int i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(at[i])); };
  return (octet(0) << 24U) | (octet(1) << 16U) | (octet(2) << 8U) | octet(3);
}

/// Reads the fields of one message body, big-endian as the protocol has them, never past its end.
/// The first error sticks: every later read gives zero or an empty view, so that a parser may read all its
/// fields in a row and ask once, with finish(). Views point into the bytes given to the constructor.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t byte() { return need(1) ? static_cast<std::uint8_t>(take(1)[0]) : std::uint8_t{0}; }

  std::int16_t int16() {
    if (!need(2)) return 0;
    const std::string_view two = take(2);
    const auto high = static_cast<unsigned>(static_cast<unsigned char>(two[0]));
    const auto low = static_cast<unsigned>(static_cast<unsigned char>(two[1]));
    return static_cast<std::int16_t>(static_cast<std::uint16_t>((high << 8U) | low));
  }

  std::int32_t int32() {
    if (!need(4)) return 0;
    return static_cast<std::int32_t>(load_uint32(take(4).data()));
  }

  /// A String: the bytes up to the next zero byte, which is consumed and not part of the view.
  std::string_view cstring() {
    if (failed(error_)) return {};
    const std::size_t end = rest_.find('\0');
    if (end == std::string_view::npos) {
      fail(Errc::unterminated_string);
      return {};
    }
    const std::string_view text = take(end);
    take(1);
    return text;
  }

  std::string_view bytes(std::size_t count) { return need(count) ? take(count) : std::string_view{}; }

  /// Everything that is left.
  std::string_view rest() { return failed(error_) ? std::string_view{} : take(rest_.size()); }

  [[nodiscard]] std::size_t remaining() const { return failed(error_) ? 0 : rest_.size(); }
  [[nodiscard]] Errc error() const { return error_; }

  /// Records an error that the caller found; an earlier one is kept.
  void fail(Errc error) {
    if (!failed(error_)) error_ = error;
  }

  /// To be asked when all fields are read: the first error, or trailing_bytes if something is left.
  [[nodiscard]] Errc finish() {
    if (!failed(error_) && !rest_.empty()) error_ = Errc::trailing_bytes;
    return error_;
  }

 private:
  bool need(std::size_t count) {
    if (failed(error_)) return false;
    if (rest_.size() < count) {
      error_ = Errc::truncated;
      return false;
    }
    return true;
  }

  std::string_view take(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::string_view rest_;
  Errc error_ = Errc::ok;
};

/// Appends messages to a string that the caller owns and keeps alive. open() and close() come in pairs;
/// close() puts the length in its place. Nothing here fails: whoever writes knows the limits.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Writer& open(char type) {
    out_.push_back(type);
    return open_untyped();
  }

  /// For the messages of the startup phase, which have no type byte.
  Writer& open_untyped() {
    length_at_ = out_.size();
    out_.append(4, '\0');
    return *this;
  }

  Writer& byte(char value) {
    out_.push_back(value);
    return *this;
  }

  Writer& int16(std::int16_t value) {
    const auto bits = static_cast<std::uint16_t>(value);
    out_.push_back(static_cast<char>(static_cast<unsigned char>(bits >> 8U)));
    out_.push_back(static_cast<char>(static_cast<unsigned char>(bits & 0xffU)));
    return *this;
  }

  Writer& int32(std::int32_t value) {
    const std::size_t at = out_.size();
    out_.append(4, '\0');
    store(at, static_cast<std::uint32_t>(value));
    return *this;
  }

  /// A String. A zero byte inside would move every later field, so the text ends there.
  Writer& cstring(std::string_view text) {
    out_.append(text.substr(0, text.find('\0')));
    out_.push_back('\0');
    return *this;
  }

  Writer& bytes(std::string_view raw) {
    out_.append(raw);
    return *this;
  }

  void close() { store(length_at_, static_cast<std::uint32_t>(out_.size() - length_at_)); }

 private:
  void store(std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) {
      out_[at + i] = static_cast<char>(static_cast<unsigned char>((value >> (24U - 8U * i)) & 0xffU));
    }
  }

  std::string& out_;
  std::size_t length_at_ = 0;
};

}  // namespace tidemark::protocol
