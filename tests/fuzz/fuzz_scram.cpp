// Both SCRAM machines, with channel binding and without, the login machine behind a SCRAM offer and behind an
// SSLRequest, and the texts of credentials and passwords, with bytes of a stranger.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/auth_messages.hpp"
#include "protocol/credential.hpp"
#include "protocol/login_machine.hpp"
#include "protocol/saslprep.hpp"
#include "protocol/scram_exchange.hpp"

using namespace tidemark::protocol;

namespace {

// An iteration count of millions is sound and slow; the fuzzer would find nothing but that.
bool asks_for_many_iterations(std::string_view text) {
  std::size_t digits = 0;
  for (const char c : text) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > 3) return true;
  }
  return false;
}

void feed_server(std::string_view first, std::string_view final) {
  static const ScramVerifier verifier = make_verifier("pencil", "a salt", 1);
  for (const std::string_view binding : {"", "hash"}) {
    ScramServer server(&verifier, "app", "eighteen bytes of it", "secret", binding);
    server.select(!binding.empty());
    std::string reply;
    if (server.on_client_first(first, reply).verdict != ScramVerdict::ok) continue;
    if (server.on_client_final(final, reply).verdict == ScramVerdict::ok) std::abort();
  }
}

void feed_client(std::string_view first, std::string_view final) {
  const std::string password = "pencil";
  ScramClient client(&password, nullptr, "eighteen bytes of it");
  std::string out;
  client.start(out);
  // The input cannot guess our nonce's encoding quickly, so it is put in where a sound server would repeat
  // it.
  std::string with_nonce = "r=" + base64_encode("eighteen bytes of it");
  with_nonce += first;
  if (client.on_server_first(with_nonce, out).verdict != ScramVerdict::ok) return;
  if (client.on_server_final(final).verdict == ScramVerdict::ok) std::abort();
}

void feed_login(std::string_view bytes) {
  LoginMachine login({"app", "shop", {}}, Credential::plain("pencil"), std::nullopt, "eighteen bytes of it");
  std::string out;
  login.start(out);
  std::string input;
  append_authentication_sasl(input, {scram_sha_256_mechanism});
  input += bytes;
  if (login.on_bytes(input, out).status == LoginMachine::Status::ready) std::abort();
}

void feed_tls_login(std::string_view bytes) {
  constexpr SslMode modes[] = {SslMode::prefer, SslMode::require};
  for (const SslMode mode : modes) {
    LoginMachine login({.user = "app", .database = "shop", .parameters = {}, .ssl_mode = mode},
                       Credential::plain("pencil"), std::nullopt, "eighteen bytes of it");
    std::string out;
    login.start(out);
    out.clear();
    auto progress = login.on_bytes(bytes, out);
    if (progress.status == LoginMachine::Status::more && !bytes.empty() && mode == SslMode::require)
      std::abort();
    if (progress.status != LoginMachine::Status::start_tls) continue;
    if (!out.empty() || progress.consumed != bytes.size()) std::abort();
    login.on_tls("hash", out);
    out.clear();
    std::string input;
    append_authentication_sasl(input, {scram_sha_256_plus_mechanism, scram_sha_256_mechanism});
    progress = login.on_bytes(input, out);
    if (out.find("p=tls-server-end-point,,") == std::string::npos) std::abort();
  }
}

void parse_texts(std::string_view text) {
  if (const auto verifier = parse_scram_verifier(text)) {
    if (parse_scram_verifier(print_scram_verifier(*verifier)) != verifier) std::abort();
  }
  if (const auto bytes = base64_decode(text)) {
    if (base64_encode(*bytes) != text) std::abort();
  }
  (void)Credential::parse(text);
  const std::string prepared = saslprep(text);
  if (prepared.empty() != text.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t split = text.find('\n');
  const std::string_view first = text.substr(0, split);
  const std::string_view final =
      split == std::string_view::npos ? std::string_view{} : text.substr(split + 1);
  feed_server(first, final);
  if (!asks_for_many_iterations(text)) {
    feed_client(first, final);
    feed_login(text);
    feed_tls_login(text);
  }
  parse_texts(text);
  return 0;
}
