// What Patroni answers: any bytes are refused or give hosts that can be ones, and an index that is one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pools/membership.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark::pools;
  const auto answer = parse_patroni_cluster(std::string_view(reinterpret_cast<const char*>(data), size));
  const auto* membership = std::get_if<Membership>(&answer);
  if (membership == nullptr) return 0;
  if (membership->nodes.empty() || membership->nodes.size() > kMostMembers) std::abort();
  if (membership->primary && *membership->primary >= membership->nodes.size()) std::abort();
  for (const auto* list : {&membership->nodes, &membership->services}) {
    for (const ServiceAddress& address : *list) {
      if (!is_host(address.host) || address.port == 0) std::abort();
    }
  }
  return 0;
}
