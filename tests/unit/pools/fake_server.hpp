#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <poll.h>

#include "pools/socket.hpp"
#include "protocol/bytes.hpp"
#include "protocol/startup_messages.hpp"
#include "tests/unit/pools/socket_pair.hpp"

namespace tidemark::pools {

/// A PostgreSQL server as far as a login goes, played step by step by the test. Throws where the peer does
/// not do its part within the time limit, which only bounds a failure.
class FakeServer {
 public:
  [[nodiscard]] SocketAddress address() const { return {"127.0.0.1", port_of(listener_)}; }

  [[nodiscard]] Socket accept() const {
    wait_for(listener_, POLLIN);
    return accept_from(listener_);
  }
  /// A connection is waiting to be accepted.
  [[nodiscard]] bool somebody_knocks() const {
    pollfd one{listener_.descriptor(), POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
  }
  /// Accepts and logs in by trust.
  [[nodiscard]] Socket accept_and_login(std::int32_t process_id = 1) const {
    Socket socket = accept();
    (void)read_startup(socket);
    send(socket, welcome(process_id));
    return socket;
  }

  static protocol::StartupMessage read_startup(Socket& socket) {
    std::string packet;
    for (;;) {
      wait_for(socket, POLLIN);
      const std::string part = receive_all(socket);
      if (part.empty()) throw std::runtime_error("the client went away");
      packet += part;
      if (packet.size() >= 4 && packet.size() == static_cast<unsigned char>(packet[2]) * 256U +
                                                     static_cast<unsigned char>(packet[3])) {
        break;
      }
    }
    auto result = protocol::parse_first_packet(packet);
    return std::get<protocol::StartupMessage>(result.packet);
  }
  static std::string welcome(std::int32_t process_id) {
    std::string out = message('R', std::string(4, '\0'));
    out += message('S', std::string_view("server_version\00015.4\0", 20));
    out += message('S', std::string_view("in_hot_standby\0on\0", 18));
    protocol::append_backend_key_data(out, {process_id, "keys"});
    return out + message('Z', "I");
  }
  static std::string message(char type, std::string_view body) {
    std::string out;
    protocol::Writer(out).open(type).bytes(body).close();
    return out;
  }
  static void send(Socket& socket, std::string_view bytes) {
    if (!socket.send(bytes)) throw std::runtime_error("the client went away");
  }
  /// Waits until the client has closed; what it sent before is dropped.
  static void expect_end(Socket& socket) {
    for (;;) {
      wait_for(socket, POLLIN);
      char block[4096];
      if (socket.receive(block, sizeof block).closed) return;
    }
  }

 private:
  static void wait_for(const Socket& socket, short events) {
    pollfd one{socket.descriptor(), events, 0};
    if (::poll(&one, 1, 20'000) != 1) throw std::runtime_error("the client did nothing");
  }
  Socket listener_ = listen_on("127.0.0.1", 0);
};

}  // namespace tidemark::pools
