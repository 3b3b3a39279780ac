#pragma once

#include "proxy/host_rules.hpp"

namespace tidemark::proxy {

/// Who is at the other end of a connected socket; 0.0.0.0 once nobody is.
[[nodiscard]] PeerAddress peer_of(int descriptor);

}  // namespace tidemark::proxy
