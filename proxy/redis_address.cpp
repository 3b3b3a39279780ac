#include "proxy/redis_address.hpp"

#include <utility>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

namespace tidemark::proxy {

using Tcp = boost::asio::ip::tcp;

RedisAddress::RedisAddress(boost::asio::io_context& io, std::string host, std::uint16_t port)
    : io_(io), resolver_(io), host_(std::move(host)), port_(port) {
  boost::system::error_code not_numeric;
  boost::asio::ip::make_address(host_, not_numeric);
  numeric_ = !not_numeric || host_.starts_with('/');
  if (numeric_) {
    address_ = host_;
  } else {
    asking_ = true;
    look_up();
  }
}

std::string RedisAddress::take() {
  const std::lock_guard lock(mutex_);
  if (!numeric_ && !std::exchange(asking_, true)) boost::asio::post(io_, [this] { look_up(); });
  return address_;
}

void RedisAddress::look_up() {
  resolver_.async_resolve(
      host_, std::to_string(port_),
      [this](const boost::system::error_code& error, const Tcp::resolver::results_type& results) {
        const std::lock_guard lock(mutex_);
        asking_ = false;
        if (!error && !results.empty()) address_ = results.begin()->endpoint().address().to_string();
      });
}

}  // namespace tidemark::proxy
