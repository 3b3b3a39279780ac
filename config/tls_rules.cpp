#include "config/tls_rules.hpp"

#include <string>
#include <utility>

#include "config/text.hpp"

namespace tidemark::config {
namespace {

class TlsRules {
 public:
  TlsRules(const Document& document, std::string_view file_name)
      : document_(document), file_name_(file_name) {}

  void check_listener(const pools::ListenTlsSettings& tls) {
    using Mode = pools::ListenTlsMode;
    constexpr std::string_view mode = "listen.tls.mode";
    if (is_refused(mode)) return;
    check_pair("listen.tls.cert", "listen.tls.key");
    if (tls.mode == Mode::disable) {
      for (const std::string_view key : {"listen.tls.cert", "listen.tls.client_ca"}) {
        if (has(key)) warn_at(key, in_quotes(key) + " has no effect: \"listen.tls.mode\" is \"disable\"");
      }
      return;
    }
    if (!has("listen.tls.cert") && !has("listen.tls.key"))
      error_at(mode, in_quotes(mode) + " = " + value_of(mode) +
                         " needs \"listen.tls.cert\" and \"listen.tls.key\"");
    if (tls.mode == Mode::verify_full && !has("listen.tls.client_ca"))
      error_at(mode, in_quotes(mode) +
                         " = \"verify-full\" needs \"listen.tls.client_ca\": who signs clients' "
                         "certificates?");
    if (has("listen.tls.crl") && !has("listen.tls.client_ca"))
      error_at("listen.tls.crl", "\"listen.tls.crl\" needs \"listen.tls.client_ca\"");
    if (has("listen.tls.ciphers") && tls.min_version == pools::TlsMinVersion::tls_1_3)
      warn_at("listen.tls.ciphers", "\"listen.tls.ciphers\" has no effect: it is about TLS 1.2");
  }

  void check_servers(const pools::ServerTlsSettings& tls) {
    using Mode = protocol::SslMode;
    constexpr std::string_view mode = "cluster.server_tls.mode";
    if (is_refused(mode)) return;
    check_pair("cluster.server_tls.cert", "cluster.server_tls.key");
    const bool verifies = tls.mode == Mode::verify_ca || tls.mode == Mode::verify_full;
    if (verifies && !has("cluster.server_tls.ca"))
      error_at(mode, in_quotes(mode) + " = " + value_of(mode) +
                         " needs \"cluster.server_tls.ca\": who signs the servers' certificates?");
    // libpq would verify under "require" if the file is there: one word, two meanings.
    for (const std::string_view key : {"cluster.server_tls.ca", "cluster.server_tls.crl"}) {
      if (has(key) && !verifies)
        error_at(key, in_quotes(key) + " has no effect unless " + in_quotes(mode) +
                          " is \"verify-ca\" or \"verify-full\"");
    }
    if (has("cluster.server_tls.cert") && tls.mode == Mode::disable)
      warn_at("cluster.server_tls.cert",
              "\"cluster.server_tls.cert\" has no effect: " + in_quotes(mode) + " is \"disable\"");
  }

  std::vector<Problem> take() { return std::move(problems_); }

 private:
  void report(Severity severity, std::string_view key, std::string message) {
    // Every key that is complained about is there, but for a mode that has its default: then nothing is said.
    const Entry* entry = document_.find(key);
    const Position where = entry == nullptr ? Position{} : entry->value_at;
    problems_.push_back({severity, std::string(file_name_), where, std::move(message)});
  }
  void error_at(std::string_view key, std::string message) {
    report(Severity::error, key, std::move(message));
  }
  void warn_at(std::string_view key, std::string message) {
    report(Severity::warning, key, std::move(message));
  }
  [[nodiscard]] bool has(std::string_view key) const { return document_.find(key) != nullptr; }
  [[nodiscard]] bool is_refused(std::string_view key) const {
    const Entry* entry = document_.find(key);
    return entry != nullptr && std::holds_alternative<std::monostate>(entry->value);
  }
  [[nodiscard]] std::string value_of(std::string_view key) const {
    const auto* text = document_.get<std::string>(key);
    return text == nullptr ? std::string() : in_quotes(*text);
  }
  void check_pair(std::string_view cert, std::string_view key) {
    if (has(cert) && !has(key)) error_at(cert, in_quotes(cert) + " needs " + in_quotes(key));
    if (has(key) && !has(cert)) error_at(key, in_quotes(key) + " needs " + in_quotes(cert));
  }

  const Document& document_;
  std::string_view file_name_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> check_tls(const Document& document, const Config& config, std::string_view file_name) {
  TlsRules rules(document, file_name);
  rules.check_listener(config.listen.tls);
  rules.check_servers(config.cluster.server_tls);
  return rules.take();
}

}  // namespace tidemark::config
