#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/errc.hpp"

namespace tidemark::protocol {

/// Names and values in the order in which they came.
using ParameterList = std::vector<std::pair<std::string, std::string>>;

/// Sets a parameter, replacing an earlier value of the same name.
void set_parameter(ParameterList& list, std::string_view name, std::string_view value);
/// Null if there is none of that name. Lives until the list changes.
[[nodiscard]] const std::string* find_parameter(const ParameterList& list, std::string_view name);

/// A protocol version or request code: the major number in the upper half, the minor in the lower.
struct ProtocolVersion {
  std::uint16_t major_number = 3;
  std::uint16_t minor_number = 0;
  friend bool operator==(const ProtocolVersion&, const ProtocolVersion&) = default;
};

/// The newest version that we speak with clients: longer cancel keys, since PostgreSQL 18. 3.1 was skipped;
/// like PostgreSQL we take a client that asks for it at its word, and it means 3.0.
inline constexpr ProtocolVersion newest_protocol{3, 2};

/// What a client says first. All names and values are the client's, unchecked.
struct StartupMessage {
  ProtocolVersion version;
  /// Every parameter but the `_pq_.` ones; a name that came twice is there once, with its last value.
  ParameterList parameters;
  /// Names that start with `_pq_.`: protocol extensions that were asked for. We know none.
  std::vector<std::string> protocol_options;

  /// Empty if the client gave none. Valid until `parameters` changes.
  [[nodiscard]] std::string_view user() const;
  /// The user's name if the client gave no database (manual, StartupMessage).
  [[nodiscard]] std::string_view database() const;
};

struct SslRequest {};
struct GssEncRequest {};

/// Names one server process for a CancelRequest; what BackendKeyData carries. The key is a secret.
struct CancelKey {
  std::int32_t process_id = 0;
  std::string secret_key;  ///< 4 bytes in protocol 3.0, up to 256 in 3.2
  friend bool operator==(const CancelKey&, const CancelKey&) = default;
};

using FirstPacket = std::variant<StartupMessage, SslRequest, GssEncRequest, CancelKey>;

/// PostgreSQL's limit for the length field of a first packet (MAX_STARTUP_PACKET_LENGTH).
inline constexpr std::size_t max_startup_packet_length = 10'000;
inline constexpr std::size_t min_startup_packet_length = 8;
inline constexpr std::size_t min_cancel_key_length = 4;
inline constexpr std::size_t max_cancel_key_length = 256;

/// Parses one whole untyped packet, from its length field on; `packet` is exactly as long as that field says.
/// For a major version other than 3 the error is unsupported_version, and `version` tells which it was.
struct FirstPacketResult {
  Errc error = Errc::ok;
  ProtocolVersion version;
  FirstPacket packet;  ///< only if error is ok
};
[[nodiscard]] FirstPacketResult parse_first_packet(std::string_view packet);

void append_ssl_request(std::string& out);
void append_startup_message(std::string& out, const ParameterList& parameters);
/// A CancelRequest is the whole content of a connection of its own.
void append_cancel_request(std::string& out, const CancelKey& key);
void append_backend_key_data(std::string& out, const CancelKey& key);
/// Parses the body of BackendKeyData.
[[nodiscard]] Errc parse_backend_key_data(std::string_view body, CancelKey& key);
/// Says which version will be spoken, and which protocol options are not known.
void append_negotiate_protocol_version(std::string& out, ProtocolVersion version,
                                       const std::vector<std::string>& unknown_options);
/// How long the secret in a BackendKeyData is: as PostgreSQL's for clients of that version.
[[nodiscard]] std::size_t cancel_key_length(ProtocolVersion version);

}  // namespace tidemark::protocol
