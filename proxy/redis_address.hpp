#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace tidemark::proxy {

/// The numeric address of a host, looked up on the control thread so that no worker waits for a name server.
class RedisAddress {
 public:
  /// `host`: a name, a numeric address, or the path of a Unix socket.
  RedisAddress(boost::asio::io_context& io, std::string host, std::uint16_t port);

  /// (any thread) Empty: not known yet. Asks anew, for the next time.
  [[nodiscard]] std::string take();
  void stop() { resolver_.cancel(); }

 private:
  void look_up();

  boost::asio::io_context& io_;
  boost::asio::ip::tcp::resolver resolver_;
  const std::string host_;
  const std::uint16_t port_;
  bool numeric_ = false;
  std::mutex mutex_;
  std::string address_;
  bool asking_ = false;
};

}  // namespace tidemark::proxy
