#pragma once

#include <map>
#include <string>

#include "protocol/startup_messages.hpp"
#include "tests/soak/session.hpp"

namespace tidemark::soak {

/// What a session of the test's servers has without asking, for each parameter that the operations set. A
/// parameter of our own (with a dot) is there as soon as it was set once: the operations give it at the
/// start.
[[nodiscard]] std::map<std::string, std::string> server_defaults();

/// One of the parameters in `session.settings`.
[[nodiscard]] std::string random_setting(Session& session);
/// A value for it as SHOW spells it, mostly one that nobody else has.
[[nodiscard]] std::string random_value(Session& session, const std::string& name);

/// Chooses startup parameters and notes in `session` what SHOW must say then.
[[nodiscard]] protocol::ParameterList startup_parameters(Session& session);

}  // namespace tidemark::soak
