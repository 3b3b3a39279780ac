#pragma once

#include <string>

#include <libpq-fe.h>

#include "tests/consistency/driver_options.hpp"
#include "tests/consistency/driver_units.hpp"

namespace tidemark::consistency {

// Sends the statements of steps in the way of one protocol. Holds no connection.
class Statements {
 public:
  // `protocol` is not mixed. `hint` goes before every statement but those that are the proxy's own.
  Statements(Protocol protocol, std::string hint) : protocol_(protocol), hint_(std::move(hint)) {}

  // False if libpq did not take it. In pipeline mode no simple queries are sent.
  bool send(PGconn* connection, const Step& step, bool pipelined) const;

 private:
  bool send_own(PGconn* connection, const std::string& text) const;
  bool send_text(PGconn* connection, const std::string& text, bool pipelined) const;
  bool send_with_key(PGconn* connection, const char* name, const char* prefix, const char* suffix,
                     const Step& step) const;
  bool prepare(PGconn* connection, const char* name, const char* prefix, const char* suffix) const;

  Protocol protocol_;
  std::string hint_;
};

}  // namespace tidemark::consistency
