#include "tests/soak/connection.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/bytes.hpp"
#include "tests/soak/messages.hpp"
#include "tests/soak/outcome.hpp"

namespace tidemark::soak {

Task<> Connection::open(std::uint16_t port, int receive_buffer) {
  descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) throw Lost{"no socket: " + std::string(std::strerror(errno))};
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_buffer > 0)
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  loop_.add(descriptor_);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int status = ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (status == 0) co_return;
  if (errno != EINPROGRESS) throw Lost{"no connection: " + std::string(std::strerror(errno))};
  const bool ready = co_await loop_.ready(descriptor_, EPOLLOUT, Clock::now() + patience_);
  if (!ready) throw Stuck{"connecting"};
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) throw Lost{"no connection: " + std::string(std::strerror(error))};
}

Task<> Connection::login(protocol::LoginRequest request, protocol::Credential credential,
                         std::optional<protocol::ScramKeys> keys) {
  using Status = protocol::LoginMachine::Status;
  const std::string nonce = random_.hex(24);
  protocol::LoginMachine machine(std::move(request), std::move(credential), std::move(keys), nonce);
  machine.start(output_);
  while (true) {
    co_await flush();
    const auto progress = machine.on_bytes(std::string_view(input_).substr(taken_), output_);
    taken_ += progress.consumed;
    if (progress.status == Status::failed) {
      const protocol::LoginFailure& failure = machine.failure();
      throw Lost{"login: " + std::string(failure.code.text()) + " " + failure.text};
    }
    if (progress.status == Status::ready) break;
    if (output_.empty()) co_await more();
  }
  cancel_key_ = machine.cancel_key();
  scram_keys_ = machine.scram_keys();
  for (const auto& [name, value] : machine.parameter_statuses()) {
    parameters_[name] = value;
    inspect({'S', value});
  }
}

bool Connection::burn() {
  return fuse_ > 0 && --fuse_ == 0;
}

Task<> Connection::flush() {
  if (burn()) {
    // Gone in the middle of sending.
    const std::size_t part = random_.below(output_.size() + 1);
    [[maybe_unused]] const auto sent = ::send(descriptor_, output_.data(), part, MSG_NOSIGNAL);
    throw Vanished{};
  }
  std::size_t sent = 0;
  const auto began = Clock::now();
  while (sent < output_.size()) {
    const auto n = ::send(descriptor_, output_.data() + sent, output_.size() - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) {
      while (receive()) {
      }  // what the server said before it went
      throw Lost{"sending: " + std::string(std::strerror(errno)) + last_error_};
    }
    const bool ready = co_await loop_.ready(descriptor_, EPOLLIN | EPOLLOUT, began + patience_);
    if (!ready) throw Stuck{"sending"};
    receive();
  }
  output_.clear();
}

bool Connection::receive() {
  std::array<char, 65536> block;  // NOLINT: filled by recv
  const std::size_t most = slowness_.count() > 0 ? 8192 : block.size();
  const auto n = ::recv(descriptor_, block.data(), most, 0);
  if (n > 0) {
    input_.append(block.data(), static_cast<std::size_t>(n));
    return true;
  }
  if (n == 0) errno = ECONNRESET;  // an end, not "nothing yet"
  return false;
}

Task<> Connection::more() {
  if (burn()) {
    if (random_.chance(0.5))
      co_await loop_.until(Clock::now() + std::chrono::milliseconds(random_.between(1, 30)));
    throw Vanished{};
  }
  input_.erase(0, taken_);
  taken_ = 0;
  if (slowness_.count() > 0) co_await loop_.until(Clock::now() + slowness_);
  const auto began = Clock::now();
  while (true) {
    if (receive()) break;
    if (errno != EAGAIN && errno != EINTR) {
      throw Lost{"closed by the other side" + last_error_};
    }
    const bool ready = co_await loop_.ready(descriptor_, EPOLLIN, began + patience_);
    if (!ready) throw Stuck{"waiting for an answer"};
    if (receive()) break;
    if (errno != EAGAIN && errno != EINTR) throw Lost{"closed by the other side" + last_error_};
  }
  longest_wait_ = std::max(longest_wait_, Clock::now() - began);
}

std::optional<Message> Connection::buffered() {
  const std::string_view rest = std::string_view(input_).substr(taken_);
  if (rest.size() < 5) return std::nullopt;
  const std::size_t length = protocol::load_uint32(rest.data() + 1);
  if (length < 4 || length > 100'000'000) throw Wrong{"a message of " + std::to_string(length) + " bytes"};
  if (rest.size() < length + 1) return std::nullopt;
  Message message{rest.front(), std::string(rest.substr(5, length - 4))};
  taken_ += length + 1;
  inspect(message);
  if (message.type == 'E')
    last_error_ = ", after " + error_code(message.body) + " " + error_message(message.body);
  return message;
}

void Connection::inspect(const Message& message) const {
  for (std::size_t at = message.body.find(mark_begins); at != std::string::npos;
       at = message.body.find(mark_begins, at + 1)) {
    if (message.body.compare(at, mark_.size(), mark_) != 0)
      throw Wrong{std::string("a message ") + message.type +
                  " of somebody else: " + message.body.substr(at, 40) + " instead of " + mark_};
  }
}

bool Connection::keep_aside(const Message& message) {
  if (message.type == 'S') {
    protocol::Reader reader(message.body);
    const std::string name(reader.cstring());
    parameters_[name] = std::string(reader.cstring());
    return true;
  }
  if (message.type == 'A') {
    protocol::Reader reader(message.body);
    reader.int32();
    std::string channel(reader.cstring());
    std::string payload(reader.cstring());
    notifications_.push_back({std::move(channel), std::move(payload)});
    return true;
  }
  if (message.type == 'N' && error_code(message.body) == "53300") {
    ++queue_notices_;
    return true;
  }
  return false;
}

Task<Message> Connection::next() {
  while (true) {
    std::optional<Message> message = buffered();
    if (message && !keep_aside(*message)) co_return std::move(*message);
    if (!message) co_await more();
  }
}

Task<Answer> Connection::answer() {
  Answer answer;
  while (true) {
    std::optional<Message> message = buffered();
    if (!message) {
      co_await more();
      continue;
    }
    if (keep_aside(*message)) continue;
    answer.messages.push_back(std::move(*message));
    if (answer.messages.back().type == 'Z') break;
  }
  co_return answer;
}

Task<> Connection::notified() {
  while (notifications_.empty()) {
    std::optional<Message> message = buffered();
    if (message && !keep_aside(*message)) throw Wrong{std::string("an unasked message ") + message->type};
    if (!message) co_await more();
  }
}

Task<> Connection::closed() {
  const auto began = Clock::now();
  while (true) {
    const bool ready = co_await loop_.ready(descriptor_, EPOLLIN, began + patience_);
    if (!ready) throw Stuck{"waiting for the other side to close"};
    if (receive()) throw Wrong{"an answer to a cancel request"};
    if (errno != EAGAIN && errno != EINTR) co_return;
  }
}

void Connection::leave(Farewell farewell) {
  if (descriptor_ < 0) return;
  if (farewell == Farewell::terminate) {
    std::string bye;
    put_terminate(bye);
    [[maybe_unused]] const auto sent = ::send(descriptor_, bye.data(), bye.size(), MSG_NOSIGNAL);
  }
  if (farewell == Farewell::reset) {
    const linger at_once{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  ::close(std::exchange(descriptor_, -1));
}

}  // namespace tidemark::soak
