// What a client sends after its login, cut into units: however the bytes are cut into parts, the units are
// the same, and nothing is named that is not there.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/frontend_messages.hpp"
#include "protocol/unit.hpp"

namespace {

using namespace tidemark::protocol;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_unit(const Unit& unit, std::string_view bytes) {
  check(unit.size <= bytes.size());
  std::size_t offset = 0;
  for (const auto& message : unit.messages) {
    check(message.size >= 5 && message.offset == offset);
    offset += message.size;
    const std::string_view body = message.body(bytes);
    check(body.size() + 5 == message.size);
    if (const auto parse = parse_parse(body)) check(parse->definition.size() >= parse->query.size() + 3);
    if (const auto bind = parse_bind(body)) {
      check(bind->portal.size() + bind->statement.size() + 2 + bind->rest.size() == body.size());
    }
    if (const auto target = parse_target(body)) check(target->name.size() + 2 == body.size());
    if (const auto query = parse_query(body)) check(query->find('\0') == std::string_view::npos);
  }
  check(offset == unit.size);
  // A unit that has ended has ended with its last message, and with no earlier one; COPY data that was sent
  // ahead ends what is before it with none.
  const auto ends = [](char type) {
    return std::string_view("QSHFXdcf").find(type) != std::string_view::npos;
  };
  for (std::size_t i = 0; i < unit.messages.size(); ++i) {
    const bool last = i + 1 == unit.messages.size();
    const bool ended =
        unit.end != Unit::End::incomplete && unit.end != Unit::End::invalid && unit.end != Unit::End::partial;
    check(ends(unit.messages[i].type) == (last && ended));
  }
  const auto head = unit.next_head(bytes);
  if (unit.end == Unit::End::incomplete && head.size != 0)
    check(head.offset + std::size_t{head.size} > bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t part_size = 1 + data[0] % 32U;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (;;) {
    Unit whole;
    (void)whole.scan(rest);
    check_unit(whole, rest);
    Unit parts;
    for (std::size_t there = 0; there < rest.size();) {
      there = std::min(there + part_size, rest.size());
      // A copy of its own length, so that a step beyond it is seen.
      const std::string copy(rest.substr(0, there));
      (void)parts.scan(copy);
      check_unit(parts, copy);
    }
    check(parts.end == whole.end && parts.size == whole.size &&
          parts.messages.size() == whole.messages.size());
    if (whole.end == Unit::End::incomplete || whole.end == Unit::End::invalid) return 0;
    rest.remove_prefix(whole.size);
  }
}
