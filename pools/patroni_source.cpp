#include "pools/patroni_source.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace tidemark::pools {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr std::size_t kLongestBody = std::size_t{1024} * 1024;
constexpr std::uint32_t kLongestHeader = 16 * 1024;
constexpr std::size_t kLongestWhy = 300;

}  // namespace

/// One request to one member, and its deadline, which covers resolving the name, too. Its handlers keep it;
/// once it is left it tells nothing any more.
class PatroniSource::Attempt : public std::enable_shared_from_this<Attempt> {
 private:
  template <class Handler>
  auto wrap(Handler handler) {
    return source_.guard_.wrap(
        [self = shared_from_this(), handler = std::move(handler)](auto&&... arguments) mutable {
          if (!self->left_) handler(*self, std::forward<decltype(arguments)>(arguments)...);
        });
  }

 public:
  Attempt(PatroniSource& source, const ServiceAddress& address)
      : source_(source), address_(address), resolver_(source.io_), stream_(source.io_), timer_(source.io_) {
    parser_.body_limit(kLongestBody);
    parser_.header_limit(kLongestHeader);
    request_.method(http::verb::get);
    request_.target("/cluster");
    request_.version(11);
    request_.set(http::field::host, name_of(address_));
    request_.set(http::field::user_agent, "tidemark");
    request_.set(http::field::connection, "close");
  }

  void run() {
    timer_.expires_after(source_.settings_.timeout);
    timer_.async_wait(wrap([](Attempt& self, const boost::system::error_code& error) {
      if (!error) self.fail("no answer in time");
    }));
    resolver_.async_resolve(address_.host, std::to_string(address_.port),
                            wrap([](Attempt& self, const boost::system::error_code& error,
                                    const tcp::resolver::results_type& found) {
                              if (error) return self.fail("cannot resolve the name: " + error.message());
                              self.connect(found);
                            }));
  }
  /// It tells nothing any more.
  void leave() {
    left_ = true;
    resolver_.cancel();
    timer_.cancel();
    stream_.close();
  }

 private:
  void connect(const tcp::resolver::results_type& found) {
    stream_.async_connect(found,
                          wrap([](Attempt& self, const boost::system::error_code& error, const auto&...) {
                            if (error) return self.fail("cannot connect: " + error.message());
                            self.send();
                          }));
  }
  void send() {
    http::async_write(stream_, request_,
                      wrap([](Attempt& self, const boost::system::error_code& error, std::size_t) {
                        if (error) return self.fail("cannot send the request: " + error.message());
                        self.receive();
                      }));
  }
  void receive() {
    http::async_read(stream_, buffer_, parser_,
                     wrap([](Attempt& self, const boost::system::error_code& error, std::size_t) {
                       if (error) return self.fail("no complete answer: " + error.message());
                       self.source_.answered(self.parser_.get().result_int(), self.parser_.get().body());
                     }));
  }
  void fail(const std::string& why) { source_.failed(name_of(address_) + ": " + why); }

  PatroniSource& source_;
  const ServiceAddress address_;
  tcp::resolver resolver_;
  beast::tcp_stream stream_;
  asio::steady_timer timer_;
  beast::flat_buffer buffer_{kLongestBody};
  http::request<http::empty_body> request_;
  http::response_parser<http::string_body> parser_;
  bool left_ = false;
};

PatroniSource::PatroniSource(asio::io_context& io, CallbackGuard& guard, const DiscoverySettings& settings,
                             AuthorityClient& client)
    : io_(io), guard_(guard), settings_(settings), client_(client), services_(settings.patroni) {}
PatroniSource::~PatroniSource() = default;

void PatroniSource::stop() {
  if (attempt_) attempt_->leave();
  attempt_.reset();
}

void PatroniSource::ask() {
  tried_ = 0;
  why_.clear();
  attempt();
}

void PatroniSource::attempt() {
  stop();
  attempt_ = std::make_shared<Attempt>(*this, services_[(first_ + tried_) % services_.size()]);
  attempt_->run();
}

void PatroniSource::failed(std::string_view why) {
  if (why_.size() < kLongestWhy) why_.append(why_.empty() ? "" : "; ").append(why);
  if (++tried_ < services_.size()) return attempt();
  stop();
  client_.on_no_answer(why_);
}

void PatroniSource::answered(unsigned status, std::string_view body) {
  const std::string name = name_of(services_[(first_ + tried_) % services_.size()]);
  if (status != 200) return failed(name + ": it answered with status " + std::to_string(status));
  const MembershipAnswer answer = parse_patroni_cluster(body);
  if (const auto* bad = std::get_if<BadAnswer>(&answer)) return failed(name + ": " + bad->why);
  first_ = (first_ + tried_) % services_.size();
  learn(std::get<Membership>(answer));
  stop();
  client_.on_answer(answer);
}

/// The members' own addresses, behind the configured ones, which stay: they may be the only ones that can be
/// reached.
void PatroniSource::learn(const Membership& membership) {
  const ServiceAddress answering = services_[first_];
  services_ = settings_.patroni;
  const auto add = [this](const ServiceAddress& address) {
    if (std::find(services_.begin(), services_.end(), address) == services_.end())
      services_.push_back(address);
  };
  for (const ServiceAddress& service : membership.services) add(service);
  add(answering);
  first_ =
      static_cast<std::size_t>(std::find(services_.begin(), services_.end(), answering) - services_.begin());
}

}  // namespace tidemark::pools
