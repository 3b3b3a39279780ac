#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "routing/sql_scanner.hpp"
#include "routing/statement_class.hpp"

// Any bytes: no crash, no read outside of the text, an end, and no text in doubt called a read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark::routing;
  const std::string_view sql(reinterpret_cast<const char*>(data), size);
  bool doubtful = false;
  for (const Backslashes backslashes : {Backslashes::ordinary, Backslashes::escape}) {
    SqlScanner scanner(sql, backslashes);
    std::size_t tokens = 0;
    while (scanner.next().kind != TokenKind::end) {
      if (++tokens > size) std::abort();
    }
    doubtful = doubtful || (backslashes == Backslashes::ordinary && scanner.doubtful());
  }
  const Classification result = classify(sql, nullptr);
  const bool harmless = result.statement == StatementClass::read || result.statement == StatementClass::empty;
  if (harmless && (doubtful || result.leaves_session_state || result.may_commit)) std::abort();
  if (result.leaves_session_state != (result.session_state != 0)) std::abort();
  if (result.leaves_session_state != (result.statement == StatementClass::session_state)) std::abort();
  if (result.only_settings && result.session_state != session_state::settings) std::abort();
  if ((result.session_state & session_state::unknown) != 0 && !result.ends_session_state) std::abort();
  return 0;
}
