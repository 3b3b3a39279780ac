#include "proxy/http_server.hpp"

#include <chrono>
#include <stdexcept>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace tidemark::proxy {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr std::chrono::seconds kClientDeadline{10};
constexpr std::size_t kMaxConnections = 64;

/// One request and its answer; the connection ends with it.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(tcp::socket socket, const HttpServer::Handler& handler, std::shared_ptr<std::size_t> open)
      : stream_(std::move(socket)), handler_(handler), open_(std::move(open)) {
    ++*open_;
    request_.body_limit(0);
  }
  ~Exchange() { --*open_; }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void run() {
    stream_.expires_after(kClientDeadline);
    http::async_read(stream_, buffer_, request_,
                     [self = shared_from_this()](beast::error_code error, std::size_t) {
                       if (!error) self->answer();
                     });
  }

 private:
  void answer() {
    const auto& request = request_.get();
    HttpAnswer answer;
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
      answer = {405, "text/plain; charset=utf-8", "only GET is answered here\n"};
    } else {
      const auto target = request.target();
      const std::string_view path(target.data(), target.size());
      answer = handler_(path.substr(0, path.find('?')));
    }
    response_.result(answer.status);
    response_.version(11);
    response_.set(http::field::content_type, answer.content_type);
    response_.keep_alive(false);
    response_.body() = std::move(answer.body);
    response_.prepare_payload();
    if (request.method() == http::verb::head) response_.body().clear();
    http::async_write(stream_, response_, [self = shared_from_this()](beast::error_code, std::size_t) {
      beast::error_code ignored;
      self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{16 * 1024};
  http::request_parser<http::empty_body> request_;
  http::response<http::string_body> response_;
  const HttpServer::Handler& handler_;
  std::shared_ptr<std::size_t> open_;
};

}  // namespace

class HttpServer::Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& io, const std::string& address, std::uint16_t port, Handler handler)
      : acceptor_(io), handler_(std::move(handler)) {
    const std::string where = address + ":" + std::to_string(port);
    beast::error_code error;
    const auto numeric = asio::ip::make_address(address == "localhost" ? "127.0.0.1" : address, error);
    if (error) throw std::runtime_error("cannot serve HTTP on " + where + ": not a numeric address");
    const tcp::endpoint endpoint(numeric, port);
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) throw std::runtime_error("cannot serve HTTP on " + where + ": " + error.message());
  }

  void accept() {
    acceptor_.async_accept([self = shared_from_this()](beast::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || !self->acceptor_.is_open()) return;
      if (!error && *self->open_ < kMaxConnections) {
        std::make_shared<Exchange>(std::move(socket), self->handler_, self->open_)->run();
      }
      self->accept();
    });
  }

  void stop() {
    beast::error_code ignored;
    acceptor_.close(ignored);
  }

 private:
  tcp::acceptor acceptor_;
  Handler handler_;
  std::shared_ptr<std::size_t> open_ = std::make_shared<std::size_t>(0);
};

HttpServer::HttpServer(asio::io_context& io, const std::string& address, std::uint16_t port, Handler handler)
    : listener_(std::make_shared<Listener>(io, address, port, std::move(handler))) {
  listener_->accept();
}

HttpServer::~HttpServer() {
  stop();
}

void HttpServer::stop() {
  listener_->stop();
}

}  // namespace tidemark::proxy
