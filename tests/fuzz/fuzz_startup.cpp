// What a client says first, and what it says then: the whole accept machine, cut into parts that the input
// chooses. Without a proof nobody may get in.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/accept_machine.hpp"
#include "protocol/startup_messages.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark::protocol;
  if (size < 1) return 0;
  static const Credential credential = Credential::scram(make_verifier("pencil", "a salt", 1));
  const std::size_t part_size = data[0] % 16U == 0 ? size : data[0] % 16U;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  (void)parse_first_packet(rest);
  (void)parse_options(rest);

  AcceptMachine machine;
  std::string pending;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, std::min(part_size, rest.size()));
    rest.remove_prefix(part.size());
    pending += part;
    for (;;) {
      std::string output;
      AcceptMachine::Progress progress = machine.on_bytes(pending, output);
      if (progress.consumed > pending.size()) std::abort();
      pending.erase(0, progress.consumed);
      if (progress.want == AcceptMachine::Want::secret) {
        progress.want =
            machine
                .on_secret(AuthMethod::scram_sha_256, &credential, "eighteen bytes of it", "secret", output)
                .want;
        if (machine.startup().user().empty()) std::abort();
      }
      if (progress.want == AcceptMachine::Want::authenticated) std::abort();
      if (progress.want == AcceptMachine::Want::close && !output.empty() && output.back() != '\0')
        std::abort();
      if (progress.want != AcceptMachine::Want::more_bytes) return 0;
      if (progress.consumed == 0 || pending.empty()) break;
    }
  }
  return 0;
}
