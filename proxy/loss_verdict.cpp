#include "proxy/loss_verdict.hpp"

namespace tidemark::proxy {

namespace {

LossVerdict judge_end_or_write(const LostUnit& unit, bool whole) {
  if (whole && unit.end_certain) return LossVerdict::confirm_end;
  const bool commits = unit.kind == SessionUnit::commit;
  if (unit.rolled_back && whole) {
    if (commits && unit.in_transaction && unit.is_commit) return LossVerdict::rolled_back;
    if (!commits && !unit.in_transaction && unit.is_plain)
      return unit.in_hold ? LossVerdict::send_again : LossVerdict::rolled_back;
  }
  if (commits && unit.end_can_be_asked) return LossVerdict::ask_outcome;
  return LossVerdict::outcome_unknown;
}

}  // namespace

LossVerdict judge_loss(const LostUnit& unit) {
  const bool whole = unit.held && !unit.replied;
  // That a server shuts down is not the statement's doing: it goes round as long as servers do, which may be
  // one connection after the other of a server whose end nobody has been told of yet.
  const bool again = whole && (unit.may_try_again || (unit.rolled_back && unit.in_hold));
  if (unit.outdated) return LossVerdict::result_changed;
  // As often as it happens: servers that close idle connections soon can do it again and again.
  if (unit.not_begun)
    return whole && unit.in_queue_time ? LossVerdict::send_as_new : LossVerdict::transaction_lost;
  switch (unit.kind) {
    case SessionUnit::read:
      if (unit.refused) return LossVerdict::send_elsewhere;
      if (again && unit.may_restart) return LossVerdict::send_read_again;
      return unit.begins_read_only ? LossVerdict::transaction_failed : LossVerdict::result_lost;
    case SessionUnit::begin:
      return again ? LossVerdict::send_again : LossVerdict::transaction_failed;
    case SessionUnit::opens:
    case SessionUnit::in_transaction:
      return LossVerdict::transaction_failed;
    case SessionUnit::rollback:
      if (unit.held && unit.in_transaction) return LossVerdict::end_transaction;
      // Outside of a transaction it does nothing, but warns of that.
      return again && unit.is_sole ? LossVerdict::send_again : LossVerdict::transaction_lost;
    case SessionUnit::commit:
    case SessionUnit::write:
      break;
  }
  return judge_end_or_write(unit, whole);
}

}  // namespace tidemark::proxy
