#include "protocol/startup_messages.hpp"

#include <algorithm>

#include "protocol/bytes.hpp"

namespace tidemark::protocol {

namespace {

// Request codes stand where a version would; their major number 1234 is no version (manual, "Message
// Formats").
constexpr std::uint16_t request_major = 1234;
constexpr std::uint16_t cancel_request_minor = 5678;
constexpr std::uint16_t ssl_request_minor = 5679;
constexpr std::uint16_t gssenc_request_minor = 5680;

constexpr std::int32_t code_of(std::uint16_t major_number, std::uint16_t minor_number) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(major_number) << 16U) | minor_number);
}

constexpr std::string_view protocol_option_prefix = "_pq_.";

Errc parse_parameters(Reader& reader, StartupMessage& message) {
  for (;;) {
    const std::string_view name = reader.cstring();
    if (failed(reader.error())) return reader.error();
    if (name.empty()) return reader.finish();
    const std::string_view value = reader.cstring();
    if (failed(reader.error())) return reader.error();
    if (name.starts_with(protocol_option_prefix)) {
      auto& options = message.protocol_options;
      if (std::find(options.begin(), options.end(), name) == options.end()) options.emplace_back(name);
    } else {
      set_parameter(message.parameters, name, value);
    }
  }
}

FirstPacketResult parse_request(std::uint16_t minor_number, Reader& reader) {
  FirstPacketResult result;
  result.version = {request_major, minor_number};
  switch (minor_number) {
    case ssl_request_minor:
      result.packet = SslRequest{};
      result.error = reader.finish();
      return result;
    case gssenc_request_minor:
      result.packet = GssEncRequest{};
      result.error = reader.finish();
      return result;
    case cancel_request_minor: {
      CancelKey key;
      key.process_id = reader.int32();
      const std::string_view secret = reader.rest();
      result.error = reader.finish();
      if (!failed(result.error) &&
          (secret.size() < min_cancel_key_length || secret.size() > max_cancel_key_length)) {
        result.error = Errc::invalid_length;
      }
      key.secret_key = std::string(secret);
      result.packet = std::move(key);
      return result;
    }
    default:
      result.error = Errc::unsupported_version;
      return result;
  }
}

}  // namespace

void set_parameter(ParameterList& list, std::string_view name, std::string_view value) {
  for (auto& [known_name, known_value] : list) {
    if (known_name == name) {
      known_value = value;
      return;
    }
  }
  list.emplace_back(name, value);
}

const std::string* find_parameter(const ParameterList& list, std::string_view name) {
  for (const auto& [known_name, value] : list) {
    if (known_name == name) return &value;
  }
  return nullptr;
}

std::string_view StartupMessage::user() const {
  const std::string* value = find_parameter(parameters, "user");
  return value == nullptr ? std::string_view{} : std::string_view{*value};
}

std::string_view StartupMessage::database() const {
  const std::string* value = find_parameter(parameters, "database");
  return value == nullptr || value->empty() ? user() : std::string_view{*value};
}

FirstPacketResult parse_first_packet(std::string_view packet) {
  FirstPacketResult result;
  Reader reader(packet);
  const std::int32_t length = reader.int32();
  const auto code = static_cast<std::uint32_t>(reader.int32());
  if (failed(reader.error())) {
    result.error = reader.error();
    return result;
  }
  if (static_cast<std::uint32_t>(length) != packet.size() || packet.size() > max_startup_packet_length) {
    result.error = packet.size() > max_startup_packet_length ? Errc::too_long : Errc::invalid_length;
    return result;
  }
  const auto major_number = static_cast<std::uint16_t>(code >> 16U);
  const auto minor_number = static_cast<std::uint16_t>(code & 0xffffU);
  if (major_number == request_major) return parse_request(minor_number, reader);

  result.version = {major_number, minor_number};
  if (major_number != 3) {
    result.error = Errc::unsupported_version;
    return result;
  }
  StartupMessage message;
  message.version = result.version;
  result.error = parse_parameters(reader, message);
  result.packet = std::move(message);
  return result;
}

void append_ssl_request(std::string& out) {
  Writer writer(out);
  writer.open_untyped().int32(code_of(request_major, ssl_request_minor)).close();
}

void append_startup_message(std::string& out, const ParameterList& parameters) {
  Writer writer(out);
  writer.open_untyped().int32(code_of(3, 0));
  for (const auto& [name, value] : parameters) {
    // An empty name would end the list early.
    if (!name.empty() && name.front() != '\0') writer.cstring(name).cstring(value);
  }
  writer.byte('\0').close();
}

void append_cancel_request(std::string& out, const CancelKey& key) {
  Writer writer(out);
  writer.open_untyped().int32(code_of(request_major, cancel_request_minor));
  writer.int32(key.process_id).bytes(key.secret_key).close();
}

void append_backend_key_data(std::string& out, const CancelKey& key) {
  Writer writer(out);
  writer.open('K').int32(key.process_id).bytes(key.secret_key).close();
}

Errc parse_backend_key_data(std::string_view body, CancelKey& key) {
  Reader reader(body);
  key.process_id = reader.int32();
  const std::string_view secret = reader.rest();
  if (failed(reader.error())) return reader.error();
  if (secret.size() < min_cancel_key_length || secret.size() > max_cancel_key_length) {
    return Errc::invalid_length;
  }
  key.secret_key = std::string(secret);
  return Errc::ok;
}

void append_negotiate_protocol_version(std::string& out, ProtocolVersion version,
                                       const std::vector<std::string>& unknown_options) {
  Writer writer(out);
  // The field holds the whole version number, not the minor one alone: so PostgreSQL sends it and libpq reads
  // it.
  writer.open('v').int32(code_of(version.major_number, version.minor_number));
  writer.int32(static_cast<std::int32_t>(unknown_options.size()));
  for (const std::string& name : unknown_options) writer.cstring(name);
  writer.close();
}

std::size_t cancel_key_length(ProtocolVersion version) {
  return version.major_number > 3 || version.minor_number >= 2 ? 32 : min_cancel_key_length;
}

}  // namespace tidemark::protocol
