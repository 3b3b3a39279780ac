#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pools/session_settings.hpp"
#include "proxy/setting_commands.hpp"
#include "routing/statement_class.hpp"

namespace tidemark::proxy {

/// Further reasons for a session to keep its server, beside those of routing::session_state.
inline constexpr std::uint16_t kPinnedByMode = 0x4000;  ///< pool.mode = "session"

/// Names of the reasons in `pins`, for people: "LISTEN, temporary objects".
[[nodiscard]] std::string pin_reasons(std::uint16_t pins);

/// Label of one reason, for metrics; empty for a bit that is none.
[[nodiscard]] std::string_view pin_label(std::uint16_t bit);

/// What a session has left in its server, and what it may have left there since that was last known. The
/// text of a statement only says that something may be left; whether it is, is known from its success where
/// that is enough, and else asked of the server when the transaction has ended. Pure.
class StateTracker {
 public:
  /// Kinds of state that keep the session at its server (routing::session_state bits, kPinnedByMode).
  [[nodiscard]] std::uint16_t pins() const { return pins_; }
  [[nodiscard]] bool pinned() const { return pins_ != 0; }
  /// Kinds that may have come since.
  [[nodiscard]] std::uint16_t touched() const { return touched_; }
  void pin(std::uint16_t kinds) { pins_ = static_cast<std::uint16_t>(pins_ | kinds); }

  /// A unit that may change state is about to be sent. `direct`: in autocommit, and if it succeeds each of
  /// its `commands` has been carried out, in that order, and nothing else of it leaves state.
  void note_unit(std::uint16_t kinds, bool ends_state, std::vector<SettingCommand> commands, bool direct);
  /// The server's settings changed in a way that no statement announced.
  void note_surprise() { note_unit(routing::session_state::unknown, false, {}, false); }
  /// What was noted since the session was last idle was not sent, or will be sent anew.
  void forget() {
    if (touched_ != 0 || ends_state_ || !direct_ || doubt_ != nullptr) [[unlikely]]
      clear();
  }

  enum class Step : std::uint8_t {
    nothing,  ///< nothing can have changed
    known,    ///< call apply_known
    ask,      ///< send question(), give its rows to on_row, then call settle
    later,    ///< the server is kept whatever the answer were: call postpone
  };
  /// The session is idle again (ReadyForQuery 'I'). `succeeded`: no error since it last was.
  [[nodiscard]] Step at_idle(bool succeeded) const;

  /// What is in doubt stays so until something is asked.
  void postpone();

  /// What the server and the session have set now; `startup` is what the session began with, to which it
  /// returns.
  struct Settings {
    pools::SessionSettings server;
    pools::SessionSettings session;
  };
  /// `before` is what both had.
  [[nodiscard]] Settings apply_known(const pools::SessionSettings& before,
                                     const pools::SessionSettings& startup);

  /// One query for all that is in doubt: three columns of text. `login` is the user of the server connection.
  [[nodiscard]] std::string question(bool succeeded, const pools::SessionSettings& before,
                                     std::string_view login);
  /// One row of the answer.
  void on_row(std::string_view kind, std::string_view name, std::optional<std::string_view> value);
  /// The answer is complete. The pins are what it said.
  [[nodiscard]] Settings settle(const pools::SessionSettings& before, const pools::SessionSettings& startup);
  /// There was none: whatever may be there is taken to be there.
  void settle_unanswered();

 private:
  struct Doubt {
    std::vector<SettingCommand> commands;
    std::vector<std::pair<std::string, std::string>> answered;
    std::uint16_t answered_pins = 0;
    bool all_settings = false;  ///< the question was for all settings, not only for those named
  };
  Doubt& doubt();
  void clear();
  [[nodiscard]] bool names_are_known() const;

  std::uint16_t pins_ = 0;
  std::uint16_t touched_ = 0;
  bool ends_state_ = false;
  bool direct_ = true;
  std::unique_ptr<Doubt> doubt_;  ///< only while something is in doubt
};

}  // namespace tidemark::proxy
