#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace tidemark::consistency {

// What a client did to one key, and what came of it.
enum class OperationKind : std::uint8_t {
  read,             // gave `version`
  write,            // acknowledged; the key has `version` since
  unknown_write,    // may have happened or not: SQLSTATE 40003, or the connection broke before the answer
  failed_write,     // provably did not happen
  failed_read,      // gave an error
  lost_write_told,  // the server said that acknowledged writes are gone: the user's floors end here
};

// One operation as its client saw it. Versions of a key are given out by the database (version = version + 1
// under the row's lock), so they are totally ordered, whoever writes.
struct Operation {
  std::int64_t start{};    // ns of one monotonic clock: before the first byte was sent
  std::int64_t end{};      // ns, later than `start`: after the last byte of the answer was read
  std::int64_t version{};  // of `read` and `write` only
  std::uint32_t session{};
  std::uint32_t user{};  // whose guarantees the operation is judged by; its sessions share them
  std::uint32_t key{};
  std::uint16_t node{};  // the port of the server that answered, 0 if none did
  OperationKind kind{};
};
static_assert(sizeof(Operation) <= 48);

// Everything that was seen of one run. The operations may be in any order, and those of one session may
// overlap.
struct History {
  std::vector<Operation> operations;
  // Version of each key before the first operation; a key that is not named had 0.
  std::unordered_map<std::uint32_t, std::int64_t> initial;
  // Version of each key after the last operation, read at the primary; may be empty.
  std::unordered_map<std::uint32_t, std::int64_t> final;
};

}  // namespace tidemark::consistency
