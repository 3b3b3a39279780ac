#include "protocol/scram_exchange.hpp"

#include <algorithm>
#include <charconv>

namespace tidemark::protocol {

namespace {

constexpr ScramStep malformed(std::string_view reason, std::string_view message = "malformed SCRAM message") {
  return {ScramVerdict::malformed, reason, message};
}
constexpr ScramStep unsupported(std::string_view reason) {
  return {ScramVerdict::unsupported, reason, {}};
}

/// Takes `<name>=<value>` off the front of `rest`, with the comma behind it; nothing if another attribute is
/// there.
std::optional<std::string_view> take_attribute(std::string_view& rest, char name) {
  if (rest.size() < 2 || rest[0] != name || rest[1] != '=') return std::nullopt;
  const std::size_t comma = rest.find(',');
  if (comma == rest.size() - 1) return std::nullopt;  // a comma only stands between attributes
  const std::string_view value = rest.substr(2, comma == std::string_view::npos ? comma : comma - 2);
  rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  return value;
}

/// RFC 5802, section 7: printable ASCII but the comma. At least one character.
bool is_nonce(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~' && c != ','; });
}

/// Extensions, `,<letter>=<value>` each, may follow what we read; they are to be ignored (RFC 5802,
/// section 5.1).
bool are_extensions(std::string_view rest) {
  while (!rest.empty()) {
    const char name = rest[0];
    if (!((name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z')) || !take_attribute(rest, name))
      return false;
  }
  return true;
}

constexpr std::string_view binding_type = "tls-server-end-point";

void wipe_keys(std::optional<ScramKeys>& keys) {
  if (!keys) return;
  wipe(keys->client_key);
  wipe(keys->server_key);
}

}  // namespace

ScramServer::ScramServer(const ScramVerifier* verifier, std::string_view user, std::string_view nonce,
                         std::string_view process_secret, std::string_view channel_binding)
    : mock_(verifier == nullptr), channel_binding_(channel_binding), nonce_(base64_encode(nonce)) {
  // Keys that nobody has the password of. They are made for known users too, and the same arithmetic is done
  // with the keys of both, so that time does not tell who is known.
  verifier_.salt = derive_salt(process_secret, user);
  verifier_.stored_key = hmac_sha256(process_secret, std::string("tidemark mock stored key ").append(user));
  verifier_.server_key = hmac_sha256(process_secret, std::string("tidemark mock server key ").append(user));
  if (verifier != nullptr) verifier_ = *verifier;
}

ScramStep ScramServer::on_client_first(std::string_view message, std::string& reply) {
  if (state_ != State::client_first) return malformed("message out of order");
  state_ = State::ended;

  // gs2-header: channel binding flag, optional authorization identity, each closed by a comma.
  if (message.empty()) return malformed("The message is empty.");
  std::string_view rest = message;
  switch (message[0]) {
    case 'p': {
      if (!plus_) {
        return malformed(
            "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes "
            "channel "
            "binding data.");
      }
      const auto type = take_attribute(rest, 'p');
      if (!type || rest.empty()) return malformed("Channel binding type expected.");
      if (*type != binding_type)
        return malformed("Supported is tls-server-end-point.", "unsupported SCRAM channel-binding type");
      break;
    }
    case 'y':
    case 'n':
      if (plus_) {
        return malformed(
            "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding "
            "data.");
      }
      if (message[0] == 'y' && !channel_binding_.empty()) {
        return {ScramVerdict::binding_downgraded,
                "The client supports SCRAM channel binding but thinks the server does not.  However, this "
                "server does support channel binding.",
                {}};
      }
      if (message.size() < 3 || message[1] != ',')
        return malformed("Comma expected after the channel-binding flag.");
      rest.remove_prefix(2);
      break;
    default:
      return malformed("Unexpected channel-binding flag.");
  }
  if (rest[0] == 'a') return unsupported("client uses authorization identity, but it is not supported");
  if (rest[0] != ',') return malformed("Unexpected attribute in client-first-message.");
  rest.remove_prefix(1);
  gs2_header_ = std::string(message.substr(0, message.size() - rest.size()));

  client_first_bare_ = std::string(rest);
  if (rest.starts_with("m=")) return unsupported("client requires an unsupported SCRAM extension");
  // The name is not looked at: the user is the one of the StartupMessage, as in PostgreSQL.
  if (!take_attribute(rest, 'n')) return malformed("attribute n expected");
  const auto client_nonce = take_attribute(rest, 'r');
  if (!client_nonce) return malformed("Attribute r expected.");
  if (!is_nonce(*client_nonce)) return malformed({}, "non-printable characters in SCRAM nonce");
  if (!are_extensions(rest)) return malformed("garbage after the nonce");

  nonce_ = std::string(*client_nonce) + nonce_;
  server_first_ =
      "r=" + nonce_ + ",s=" + base64_encode(verifier_.salt) + ",i=" + std::to_string(verifier_.iterations);
  reply += server_first_;
  state_ = State::client_final;
  return {};
}

ScramStep ScramServer::on_client_final(std::string_view message, std::string& reply) {
  if (state_ != State::client_final) return malformed("message out of order");
  state_ = State::ended;

  std::string_view rest = message;
  const auto binding = take_attribute(rest, 'c');
  if (!binding) return malformed("attribute c expected");
  const std::string bound = plus_ ? gs2_header_ + channel_binding_ : gs2_header_;
  if (!constant_time_equal(*binding, base64_encode(bound))) {
    if (plus_) return {ScramVerdict::binding_mismatch, "channel binding check failed", {}};
    return malformed({}, "unexpected SCRAM channel-binding attribute in client-final-message");
  }
  const auto nonce = take_attribute(rest, 'r');
  if (!nonce) return malformed("attribute r expected");
  if (*nonce != nonce_) return malformed("Nonce does not match.", "invalid SCRAM response");
  // The proof is the last attribute and its base64 holds no comma; extensions may stand before it.
  const std::size_t proof_at = message.rfind(",p=");
  if (proof_at == std::string_view::npos) return malformed("attribute p expected");
  const std::size_t rest_at = message.size() - rest.size();
  if (proof_at + 1 > rest_at && !are_extensions(message.substr(rest_at, proof_at - rest_at))) {
    return malformed("garbage before the proof");
  }
  if (proof_at + 1 < rest_at) return malformed("attribute p expected after the nonce");
  const auto proof = digest_from_base64(message.substr(proof_at + 3));
  if (!proof) return malformed("attribute p is no proof");

  std::string auth_message = client_first_bare_ + "," + server_first_ + ",";
  auth_message += message.substr(0, proof_at);
  const Digest client_signature = hmac_sha256(as_bytes(verifier_.stored_key), auth_message);
  const Digest client = exclusive_or(*proof, client_signature);
  const bool proven = constant_time_equal(protocol::stored_key(client), verifier_.stored_key);
  const Digest server_signature = hmac_sha256(as_bytes(verifier_.server_key), auth_message);
  if (!proven || mock_) return {ScramVerdict::wrong_secret, "proof does not match", {}};

  keys_ = ScramKeys{client, verifier_.server_key, verifier_.salt, verifier_.iterations};
  reply += "v=" + base64_encode(as_bytes(server_signature));
  return {};
}

ScramClient::ScramClient(const std::string* password, const ScramKeys* keys, std::string_view nonce,
                         BindingFlag flag, std::string_view channel_binding)
    : nonce_(base64_encode(nonce)), gs2_header_(1, static_cast<char>(flag)) {
  if (flag == BindingFlag::used) {
    gs2_header_.append("=").append(binding_type);
    channel_binding_ = channel_binding;
  }
  gs2_header_ += ",,";
  if (password != nullptr) password_ = *password;
  if (keys != nullptr) keys_ = *keys;
}

ScramClient::~ScramClient() {
  if (password_) wipe(*password_);
  wipe_keys(keys_);
  wipe_keys(proven_);
  for (ScramKeys& keys : others_) {
    wipe(keys.client_key);
    wipe(keys.server_key);
  }
}

void ScramClient::start(std::string& client_first) {
  // No name: the server takes the user of the StartupMessage (manual, "SASL Authentication").
  client_first_bare_ = "n=,r=" + nonce_;
  client_first += gs2_header_ + client_first_bare_;
  state_ = State::server_first;
}

ScramStep ScramClient::on_server_first(std::string_view message, std::string& reply) {
  if (state_ != State::server_first) return malformed("message out of order");
  state_ = State::ended;

  std::string_view rest = message;
  if (rest.starts_with("m=")) return unsupported("mandatory SCRAM extensions are not supported");
  const auto nonce = take_attribute(rest, 'r');
  if (!nonce || !is_nonce(*nonce)) return malformed("attribute r with a printable nonce expected");
  if (!nonce->starts_with(nonce_) || nonce->size() == nonce_.size()) {
    return malformed("nonce does not continue ours");
  }
  const auto salt_text = take_attribute(rest, 's');
  const auto salt = salt_text ? base64_decode(*salt_text) : std::nullopt;
  if (!salt || salt->empty()) return malformed("attribute s with a salt expected");
  const auto count = take_attribute(rest, 'i');
  int iterations = 0;
  if (!count) return malformed("attribute i expected");
  const auto [end, error] = std::from_chars(count->data(), count->data() + count->size(), iterations);
  if (error != std::errc{} || end != count->data() + count->size())
    return malformed("attribute i is no number");
  if (iterations < 1 || iterations > max_scram_iterations) return malformed("iteration count out of range");
  if (!are_extensions(rest)) return malformed("garbage after the iteration count");

  const auto fits = [&](const ScramKeys& keys) {
    return keys.salt == *salt && keys.iterations == iterations;
  };
  if (const auto other = std::find_if(others_.begin(), others_.end(), fits);
      other != others_.end() && (!keys_ || !fits(*keys_))) {
    keys_ = *other;
  }
  if (!keys_ || !fits(*keys_)) {
    if (!password_) {
      return {
          ScramVerdict::wrong_secret, "the server holds another SCRAM verifier for this user than we do", {}};
    }
    Digest salted = salted_password(*password_, *salt, iterations);
    keys_ = ScramKeys{client_key(salted), server_key(salted), *salt, iterations};
    wipe(salted);
  }

  const std::string without_proof =
      "c=" + base64_encode(gs2_header_ + channel_binding_) + ",r=" + std::string(*nonce);
  auth_message_ = client_first_bare_ + "," + std::string(message) + "," + without_proof;
  const Digest signature = hmac_sha256(as_bytes(stored_key(keys_->client_key)), auth_message_);
  const Digest proof = exclusive_or(keys_->client_key, signature);
  reply += without_proof + ",p=" + base64_encode(as_bytes(proof));
  state_ = State::server_final;
  return {};
}

ScramStep ScramClient::on_server_final(std::string_view message) {
  if (state_ != State::server_final) return malformed("message out of order");
  state_ = State::ended;

  std::string_view rest = message;
  if (take_attribute(rest, 'e')) return {ScramVerdict::wrong_secret, "the server refused our proof", {}};
  const auto text = take_attribute(rest, 'v');
  const auto signature = text ? digest_from_base64(*text) : std::nullopt;
  if (!signature) return malformed("attribute v with a signature expected");
  if (!are_extensions(rest)) return malformed("garbage after the signature");
  if (!constant_time_equal(*signature, hmac_sha256(as_bytes(keys_->server_key), auth_message_))) {
    return {ScramVerdict::wrong_secret, "the server did not prove that it knows the password", {}};
  }
  proven_ = keys_;
  return {};
}

}  // namespace tidemark::protocol
