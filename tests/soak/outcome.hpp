#pragma once

#include <string>

// How a client's operation ends when it does not end well. All are thrown, and caught by Client::run().

namespace tidemark::soak {

/// The client itself chose to go away here.
struct Vanished {};

/// The server closed the connection, or an error that ends it came.
struct Lost {
  std::string text;
};

/// Nothing came within the deadline.
struct Stuck {
  std::string text;
};

/// An answer that does not belong to the question: what this program exists to find.
struct Wrong {
  std::string text;
};

/// An error that may come at any time, for a reason that allowed_error() knows. The connection is given up.
struct Interrupted {
  std::string code;
};

}  // namespace tidemark::soak
