#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/command_tag.hpp"
#include "routing/statement_class.hpp"

namespace tidemark::proxy {

/// Whether the transaction at hand ends with a commit record that PostgreSQL flushes before it tells of it,
/// as far as its statements and their completions say (routing/README.md, rule 1). Pure.
class CommitWatch {
 public:
  /// A unit is about to be sent; `anew`: outside of a transaction.
  void begin_unit(bool anew) {
    completions_ = 0;
    if (anew) changed_rows_ = doubtful_ = false;
  }
  /// A text of the unit: it must not set synchronous_commit, nor end the transaction in its middle.
  void note(const routing::Classification& text) {
    doubtful_ = doubtful_ || text.session_state != 0 || text.sets_locally || text.may_commit;
  }
  /// Something of which nobody has read what it does.
  void doubt() { doubtful_ = true; }
  /// A CommandComplete; `tag` is its body.
  void completed(std::string_view tag) {
    if (completions_ < UINT8_MAX) ++completions_;
    changed_rows_ = changed_rows_ || protocol::tells_of_changed_rows(tag);
  }

  /// Rows were changed, so there is a commit record if there was a commit; and nothing speaks against its
  /// having been flushed.
  [[nodiscard]] bool is_flushed() const { return changed_rows_ && !doubtful_; }
  /// One statement of the unit has been completed, and no more.
  [[nodiscard]] bool one_completed() const { return completions_ == 1; }

 private:
  std::uint8_t completions_ = 0;
  bool changed_rows_ = false;
  bool doubtful_ = false;
};

}  // namespace tidemark::proxy
