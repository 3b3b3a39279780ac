// What a client says first, and what it says then: the whole accept machine, cut into parts that the input
// chooses, in the clear and inside TLS, under every method. Without a proof nobody may get in, and in the
// clear nobody gets anywhere where TLS is required.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/accept_machine.hpp"
#include "protocol/startup_messages.hpp"
#include "protocol/startup_options.hpp"

namespace {

using namespace tidemark::protocol;
using Want = AcceptMachine::Want;

struct Plan {
  std::size_t part_size;
  TlsOffer offer;
  AuthMethod method;
  int credential;
  bool with_alpn;
  bool with_certificate;
};

Plan plan_of(std::uint8_t first, std::uint8_t second) {
  constexpr TlsOffer offers[] = {TlsOffer::disabled, TlsOffer::allowed, TlsOffer::required};
  constexpr AuthMethod methods[] = {AuthMethod::scram_sha_256, AuthMethod::md5, AuthMethod::cert,
                                    AuthMethod::reject};
  return {.part_size = first % 16U == 0 ? SIZE_MAX : first % 16U,
          .offer = offers[(first >> 4U) % 3U],
          .method = methods[second % 4U],
          .credential = (second >> 2U) % 4,
          .with_alpn = (second & 16U) != 0,
          .with_certificate = (second & 32U) != 0};
}

const Credential* credential_of(int choice) {
  static const Credential verifier = Credential::scram(make_verifier("pencil", "a salt", 1));
  static const Credential md5 = *Credential::parse("md506d701b4dd9f7cbb00816251a451b978");
  // Not under SCRAM: PBKDF2 would be all that is fuzzed.
  const Credential* all[] = {&verifier, &md5, nullptr, &verifier};
  return all[choice];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Plan plan = plan_of(data[0], data[1]);
  std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  (void)parse_first_packet(rest);
  (void)parse_options(rest);

  AcceptMachine machine(plan.offer);
  std::string pending;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, std::min(plan.part_size, rest.size()));
    rest.remove_prefix(part.size());
    pending += part;
    for (;;) {
      std::string output;
      AcceptMachine::Progress progress = machine.on_bytes(pending, output);
      if (progress.consumed > pending.size()) std::abort();
      pending.erase(0, progress.consumed);
      bool answered = false;
      if (progress.want == Want::start_tls) {
        if (plan.offer == TlsOffer::disabled) std::abort();
        if (!pending.empty() && pending[0] != 0x16) std::abort();
        pending.clear();
        TlsPeer peer{
            .channel_binding = "hash", .alpn = plan.with_alpn ? "postgresql" : "", .certificate = {}};
        if (plan.with_certificate) peer.certificate = ClientCertificate{"app", "CN=app"};
        progress = machine.on_tls(std::move(peer), output);
        answered = true;
      }
      if (progress.want == Want::secret) {
        if (machine.startup().user().empty()) std::abort();
        if (plan.offer == TlsOffer::required && !machine.tls_peer()) std::abort();
        progress = machine.on_secret({.method = plan.method,
                                      .credential = credential_of(plan.credential),
                                      .nonce = "eighteen bytes of it",
                                      .process_secret = "secret"},
                                     output);
        answered = true;
      }
      if (progress.want == Want::authenticated) std::abort();
      if (progress.want == Want::close && !output.empty() && output.back() != '\0') std::abort();
      if (progress.want != Want::more_bytes) return 0;
      if ((progress.consumed == 0 && !answered) || pending.empty()) break;
    }
  }
  return 0;
}
