#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

namespace tidemark::proxy {

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// The HTTP port: GET only, one answer per path, a deadline for each client. Runs on the given io_context.
class HttpServer {
 public:
  using Handler = std::function<HttpAnswer(std::string_view path)>;
  /// Listens at once; throws std::runtime_error, whose text names the address (start-up only).
  HttpServer(boost::asio::io_context& io, const std::string& address, std::uint16_t port, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  void stop();

 private:
  class Listener;
  std::shared_ptr<Listener> listener_;
};

}  // namespace tidemark::proxy
