#pragma once

#include <cstdint>

#include "proxy/session_terms.hpp"

namespace tidemark::proxy {

/// A unit whose server connection was lost before it was answered in full.
struct LostUnit {
  SessionUnit kind = SessionUnit::write;
  bool held = false;              ///< its bytes are still there
  bool replied = false;           ///< the client was sent something of its answer
  bool in_transaction = false;    ///< one is open, at the server that is lost or held here
  bool may_restart = false;       ///< nothing of a transaction has been done
  bool begins_read_only = false;  ///< it begins a READ ONLY transaction, or goes behind such a BEGIN

  // What the server has said before it went.
  bool not_begun = false;    ///< that it ends before it takes up anything (57P05)
  bool rolled_back = false;  ///< that it ends before the unit was completed (57P01)
  bool refused = false;      ///< that it cannot run this read
  bool outdated = false;     ///< that a statement has another result than the client was told of

  // What it holds, as long as it is held.
  bool is_sole = false;    ///< one statement and nothing else
  bool is_commit = false;  ///< … a COMMIT that can be nothing else
  bool is_plain =
      false;  ///< … that its server rolls back for certain if it ends before (INSERT and the like)
  bool end_certain = false;       ///< … the end of a transaction that has written nothing, or has failed
  bool end_can_be_asked = false;  ///< the next primary can be asked what became of the COMMIT

  bool may_try_again = false;  ///< it has been sent fewer times than the most
  bool in_hold = false;        ///< it came less than failover_hold ago
  bool in_queue_time = false;  ///< … queue_timeout
};

enum class LossVerdict : std::uint8_t {
  send_as_new,         ///< as if it had not been sent yet
  send_elsewhere,      ///< a read that its server refused
  send_read_again,     ///< a read
  send_again,          ///< what has done nothing for certain
  confirm_end,         ///< it would have been answered like that whatever had become of the server
  end_transaction,     ///< ROLLBACK: there is nothing left of it
  ask_outcome,         ///< the next primary tells what became of the COMMIT
  result_changed,      ///< of a statement: told
  result_lost,         ///< of a read: told
  transaction_lost,    ///< told, and the session is idle
  transaction_failed,  ///< told, and nothing runs until ROLLBACK or COMMIT
  rolled_back,         ///< told, as the server has said it
  outcome_unknown,     ///< told
};

/// What becomes of it (README.md, "When the primary dies"). Pure. Never `send_…` what may have been done.
[[nodiscard]] LossVerdict judge_loss(const LostUnit& unit);

}  // namespace tidemark::proxy
