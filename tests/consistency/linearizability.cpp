#include "tests/consistency/linearizability.hpp"

#include <algorithm>

namespace tidemark::consistency {

void RealTimeOrder::on_start(OpenOperation& open, const KeyLedger& ledger) const {
  const Operation& operation = open.operation;
  const std::int64_t written = written_ ? std::max(written_->version, ledger.initial()) : ledger.initial();
  const std::int64_t read = read_ ? read_->version : ledger.initial();
  if (operation.kind == OperationKind::read) {
    if (operation.version < written)
      open.suspected.push_back(
          {ViolationKind::behind_acknowledged, operation, written, written_, std::nullopt});
    if (read_ && operation.version < read)
      open.suspected.push_back({ViolationKind::behind_read, operation, read, read_, std::nullopt});
  }
  if (operation.kind == OperationKind::write && operation.version <= std::max(written, read))
    open.suspected.push_back({ViolationKind::write_out_of_order, operation, std::max(written, read) + 1,
                              read > written ? read_ : written_, std::nullopt});
}

void RealTimeOrder::on_end(const Operation& operation) {
  std::optional<Operation>& highest = operation.kind == OperationKind::write ? written_ : read_;
  if (!highest || operation.version > highest->version) highest = operation;
}

bool linearizable(std::span<const Operation> operations, std::int64_t initial) {
  KeyLedger ledger(initial);
  RealTimeOrder order;
  EventOrder events;
  bool good = true;
  for (const Operation& operation : operations) events.add(operation);
  events.finish(
      [&](OpenOperation& open) {
        const OperationKind kind = open.operation.kind;
        if (kind == OperationKind::write || kind == OperationKind::unknown_write)
          ledger.begin(open.operation);
        order.on_start(open, ledger);
        good = good && open.suspected.empty();
      },
      [&](const OpenOperation& open) {
        const Operation& operation = open.operation;
        if (operation.kind != OperationKind::read && operation.kind != OperationKind::write) return;
        std::optional<Operation> other;
        if (!ledger.possible(operation.version)) {
          good = false;
          return;
        }
        ledger.show(operation.version);
        if (operation.kind == OperationKind::write && ledger.acknowledge(operation, other)) good = false;
        order.on_end(operation);
      });
  return good;
}

}  // namespace tidemark::consistency
