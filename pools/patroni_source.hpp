#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "pools/authority_source.hpp"
#include "pools/callback_guard.hpp"

namespace tidemark::pools {

/// Asks the REST API of one Patroni member after the other, the one that answered last first, until one
/// answers: those of the configuration, and those that an answer told of.
class PatroniSource final : public AuthoritySource {
 public:
  /// All references must outlive it.
  PatroniSource(boost::asio::io_context& io, CallbackGuard& guard, const DiscoverySettings& settings,
                AuthorityClient& client);
  ~PatroniSource() override;
  void ask() override;
  void stop() override;

 private:
  class Attempt;

  void attempt();
  void failed(std::string_view why);
  void answered(unsigned status, std::string_view body);
  void learn(const Membership& membership);

  boost::asio::io_context& io_;
  CallbackGuard& guard_;
  const DiscoverySettings& settings_;
  AuthorityClient& client_;
  std::vector<ServiceAddress> services_;  // the configured ones first
  std::size_t first_ = 0;                 // the one that answered last
  std::size_t tried_ = 0;                 // of the question under way
  std::string why_;                       // its failures so far
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace tidemark::pools
