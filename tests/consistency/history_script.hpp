#pragma once

#include <cstdint>

#include "tests/consistency/history_checker.hpp"

namespace tidemark::consistency {

// Builds histories in tests. Each operation takes one tick and starts one tick after the one before, unless
// told; a session is a user of its own, unless as() says whose it is.
class Script {
 public:
  static constexpr std::uint16_t primary = 5432;
  static constexpr std::uint16_t replica = 5433;

  // The operations that follow, of whatever session, are this user's; 0: of their session's own.
  Script& as(std::uint32_t user) {
    user_ = user;
    return *this;
  }
  Script& add(OperationKind kind, std::uint32_t session, std::uint32_t key, std::int64_t version,
              std::uint16_t node = primary) {
    now_ += 2;
    return at(now_, now_ + 1, kind, session, key, version, node);
  }
  Script& at(std::int64_t start, std::int64_t end, OperationKind kind, std::uint32_t session,
             std::uint32_t key, std::int64_t version, std::uint16_t node = primary) {
    const std::uint32_t user = user_ == 0 ? session : user_;
    history.operations.push_back({start, end, version, session, user, key, node, kind});
    return *this;
  }
  Script& write(std::uint32_t session, std::uint32_t key, std::int64_t version) {
    return add(OperationKind::write, session, key, version);
  }
  Script& read(std::uint32_t session, std::uint32_t key, std::int64_t version, std::uint16_t node = replica) {
    return add(OperationKind::read, session, key, version, node);
  }
  Verdict verdict(const Demands& demands = {0, 0, 0, 0, 0}, const Guarantee& guarantee = {}) const {
    return judge(history, {guarantee, demands, 10, 50'000'000, 1});
  }
  Verdict verdict(const Guarantee& guarantee) const { return verdict({0, 0, 0, 0, 0}, guarantee); }

  History history;

 private:
  std::int64_t now_ = 0;
  std::uint32_t user_ = 0;
};

}  // namespace tidemark::consistency
