#include "proxy/peer_address.hpp"

#include <array>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace tidemark::proxy {

namespace {

/// The address of one end; an IPv4 one that a dual-stack listener shows mapped into IPv6 (RFC 4291, 2.5.5.2)
/// becomes itself.
config::IpAddress to_address(const sockaddr_storage& raw) {
  config::IpAddress address;
  if (raw.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(raw);
    std::memcpy(address.bytes.data(), &v4.sin_addr, 4);
  } else if (raw.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(raw);
    address.v6 = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) == 0;
    if (address.v6) {
      std::memcpy(address.bytes.data(), &v6.sin6_addr, 16);
    } else {
      std::memcpy(address.bytes.data(), &v6.sin6_addr.s6_addr[12], 4);
    }
  }
  return address;
}

std::string to_text(const config::IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), text.data(), text.size());
  return text.data();
}

}  // namespace

PeerAddress peer_of(int descriptor) {
  PeerAddress peer;
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&raw), &size) != 0) return peer;
  peer.local = raw.ss_family == AF_UNIX;
  if (!peer.local) peer.address = to_address(raw);
  peer.text = peer.local ? "[local]" : to_text(peer.address);
  if (peer.local) return peer;
  peer.same_host = peer.address.is_loopback();
  if (peer.same_host) return peer;
  size = sizeof raw;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&raw), &size) == 0)
    peer.same_host = to_address(raw) == peer.address;
  return peer;
}

}  // namespace tidemark::proxy
