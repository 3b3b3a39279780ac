#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pools/authority_source.hpp"
#include "pools/callback_guard.hpp"
#include "pools/libpq_connection.hpp"
#include "pools/pool_settings.hpp"

namespace tidemark::pools {

/// Asks pg_auto_failover's monitor for the nodes of one formation and group, on one connection that is kept.
class FormationSource final : public AuthoritySource, private LibpqClient {
 public:
  /// All references must outlive it. `settings` also say how connections are encrypted.
  FormationSource(boost::asio::io_context& io, CallbackGuard& guard, const ClusterSettings& settings,
                  AuthorityClient& client);
  void ask() override;
  void stop() override;

 private:
  void connect(const std::string& host);
  void query();
  void on_connected() override;
  void on_result(const LibpqResult& result) override;
  void on_refused(std::string_view why) override;
  void on_lost(std::string_view why) override;
  void fail(std::string_view why);

  CallbackGuard& guard_;
  const ClusterSettings& settings_;
  AuthorityClient& client_;
  LibpqConnection connection_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::steady_timer timer_;  // for resolving the name
  std::uint64_t question_ = 0;       // a resolver's late answer to an earlier one is ignored
  bool connected_ = false;
  bool asking_ = false;
};

}  // namespace tidemark::pools
