#include "protocol/unit.hpp"

#include "protocol/frame.hpp"

namespace tidemark::protocol {

namespace {
/// PostgreSQL reads no longer messages of these kinds (libpq.h, PQ_SMALL_MESSAGE_LIMIT; postgres.c,
/// SocketBackend).
constexpr std::size_t kMaxSmallMessage = 10'000 + 1;

bool is_small_kind(char type) {
  return type == 'C' || type == 'D' || type == 'E' || type == 'H' || type == 'S' || type == 'X';
}
}  // namespace

Unit::End Unit::scan(std::string_view bytes) {
  while (end == End::incomplete && bytes.size() - size >= kFrameHeader) {
    const Frame frame = peek_frame(bytes.substr(size));
    if (!frame.valid()) return end = End::invalid;
    switch (frame.type) {
      case 'Q':
      case 'P':
      case 'B':
      case 'D':
      case 'E':
      case 'C':
      case 'S':
      case 'H':
      case 'F':
      case 'X':
      case 'd':
      case 'c':
      case 'f':
        break;
      default:
        return end = End::invalid;
    }
    if (frame.size > kMaxSmallMessage && is_small_kind(frame.type)) [[unlikely]]
      return end = End::invalid;
    // COPY data sent ahead of CopyInResponse: what is before it must be answered first.
    const bool copy = frame.type == 'd' || frame.type == 'c' || frame.type == 'f';
    if (copy && !messages.empty()) return end = End::partial;
    if (bytes.size() - size < frame.size) return End::incomplete;
    messages.push_back(
        {frame.type, static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(frame.size)});
    size += frame.size;
    switch (frame.type) {
      case 'Q':
        end = End::query;
        break;
      case 'S':
        end = End::sync;
        break;
      case 'H':
        end = End::flush;
        break;
      case 'F':
        end = End::function_call;
        break;
      case 'X':
        end = End::terminate;
        break;
      case 'd':
      case 'c':
      case 'f':
        end = End::stray_copy;
        break;
      default:
        break;
    }
  }
  return end;
}

FrontendMessage Unit::next_head(std::string_view bytes) const {
  if (bytes.size() - size < kFrameHeader) return {};
  const Frame frame = peek_frame(bytes.substr(size));
  return {frame.type, static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(frame.size)};
}

void Unit::cut(std::size_t count) {
  if (count >= messages.size()) return;
  size = messages[count].offset;
  messages.resize(count);
  end = End::partial;
}

void Unit::clear() {
  messages.clear();
  size = 0;
  end = End::incomplete;
}

}  // namespace tidemark::protocol
