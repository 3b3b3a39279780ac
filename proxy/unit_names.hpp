#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pools/prepared_statements.hpp"
#include "protocol/statement_shape.hpp"
#include "proxy/client_statements.hpp"

namespace tidemark::proxy {

/// What a message of the unit changes in the names of prepared statements, until the server has confirmed
/// it.
struct NameChange {
  std::string name;           ///< the client's; empty: a Parse or Close of our own, or undone
  pools::StatementId id = 0;  ///< of a Parse, or of a Close of our own
  std::optional<ClientStatements::Statement>
      closed;              ///< what the name stood for: of a Close, or of a Parse …
  bool reused = false;     ///< … of a name that the unit may have ended before
  bool confirmed = false;  ///< only sending the unit again takes it back
  std::optional<ClientStatements::Unnamed> unnamed = {};  ///< the unnamed statement that was there before
  bool unnamed_was_on_server = false;                     ///< … and the leased server had it
};

/// A Describe of a statement: the client's, or one of ours that asks whether what the client was told still
/// holds.
struct Description {
  std::string name;                ///< the client's; empty: the unnamed statement
  pools::StatementId id = 0;       ///< of the named one
  protocol::StatementShape told;   ///< ours: what the client was told
  protocol::StatementShape shape;  ///< what the server tells now
  std::string types;               ///< ParameterDescription's body
};

}  // namespace tidemark::proxy
