#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/unit/config/loading.hpp"

namespace tidemark::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TlsRules, TakesWhatIsWholeAndResolvesItsFiles) {
  const auto result = load(std::string(minimum) +
                           "[listen.tls]\nmode = \"verify-full\"\ncert = \"s.crt\"\nkey = \"/keys/s.key\"\n"
                           "client_ca = \"c.crt\"\ncrl = \"c.crl\"\nmin_version = \"TLSv1.3\"\n"
                           "[cluster.server_tls]\nmode = \"verify-ca\"\nca = \"ca/r.crt\"\n");
  ASSERT_THAT(lines_of(result), IsEmpty());
  const auto& listen = result.config->listen.tls;
  EXPECT_EQ(listen.mode, pools::ListenTlsMode::verify_full);
  EXPECT_EQ(listen.files, (pools::TlsFiles{"/etc/tidemark/s.crt", "/keys/s.key", "/etc/tidemark/c.crt",
                                           "/etc/tidemark/c.crl"}));
  EXPECT_EQ(listen.min_version, pools::TlsMinVersion::tls_1_3);
  const auto& servers = result.config->cluster.server_tls;
  EXPECT_EQ(servers.mode, protocol::SslMode::verify_ca);
  EXPECT_EQ(servers.files, (pools::TlsFiles{"", "", "/etc/tidemark/ca/r.crt", ""}));
  EXPECT_EQ(servers.min_version, pools::TlsMinVersion::tls_1_2);
}

TEST(TlsRules, IsOffUnlessAskedFor) {
  const auto result = load(minimum);
  ASSERT_TRUE(result.config);
  EXPECT_EQ(result.config->listen.tls, pools::ListenTlsSettings{});
  EXPECT_EQ(result.config->cluster.server_tls, pools::ServerTlsSettings{});
}

TEST(TlsRules, WantsACertificateWithItsKey) {
  EXPECT_THAT(problems_behind_minimum("listen.tls.mode = \"require\"\n"),
              ElementsAre("t.toml:4:19: error: \"listen.tls.mode\" = \"require\" needs \"listen.tls.cert\" "
                          "and \"listen.tls.key\""));
  EXPECT_THAT(problems_behind_minimum("[listen.tls]\nmode = \"allow\"\ncert = \"c\"\n"),
              ElementsAre("t.toml:6:8: error: \"listen.tls.cert\" needs \"listen.tls.key\""));
  EXPECT_THAT(problems_behind_minimum("[listen.tls]\nmode = \"allow\"\nkey = \"c\"\n"),
              ElementsAre("t.toml:6:7: error: \"listen.tls.key\" needs \"listen.tls.cert\""));
  EXPECT_THAT(problems_behind_minimum("[cluster.server_tls]\nmode = \"require\"\ncert = \"c\"\n"),
              ElementsAre("t.toml:6:8: error: \"cluster.server_tls.cert\" needs \"cluster.server_tls.key\""));
}

TEST(TlsRules, WantsToKnowWhomToTrust) {
  EXPECT_THAT(
      problems_behind_minimum("[listen.tls]\nmode = \"verify-full\"\ncert = \"c\"\nkey = \"k\"\n"),
      ElementsAre("t.toml:5:8: error: \"listen.tls.mode\" = \"verify-full\" needs \"listen.tls.client_ca\": "
                  "who signs clients' certificates?"));
  EXPECT_THAT(
      problems_behind_minimum("[listen.tls]\nmode = \"allow\"\ncert = \"c\"\nkey = \"k\"\ncrl = \"l\"\n"),
      ElementsAre("t.toml:8:7: error: \"listen.tls.crl\" needs \"listen.tls.client_ca\""));
  EXPECT_THAT(problems_behind_minimum("cluster.server_tls.mode = \"verify-full\"\n"),
              ElementsAre("t.toml:4:27: error: \"cluster.server_tls.mode\" = \"verify-full\" needs "
                          "\"cluster.server_tls.ca\": who signs the servers' certificates?"));
}

TEST(TlsRules, TellsWhatWouldBeIgnored) {
  EXPECT_THAT(problems_behind_minimum("[listen.tls]\ncert = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n"),
              ElementsAre("t.toml:5:8: warning: \"listen.tls.cert\" has no effect: \"listen.tls.mode\" is "
                          "\"disable\"",
                          "t.toml:7:13: warning: \"listen.tls.client_ca\" has no effect: \"listen.tls.mode\" "
                          "is \"disable\""));
  EXPECT_THAT(problems_behind_minimum("[listen.tls]\nmode = \"allow\"\ncert = \"c\"\nkey = \"k\"\n"
                                      "min_version = \"TLSv1.3\"\nciphers = \"HIGH\"\n"),
              ElementsAre("t.toml:9:11: warning: \"listen.tls.ciphers\" has no effect: it is about TLS 1.2"));
  EXPECT_THAT(problems_behind_minimum("[cluster.server_tls]\nmode = \"require\"\nca = \"a\"\n"),
              ElementsAre("t.toml:6:6: error: \"cluster.server_tls.ca\" has no effect unless "
                          "\"cluster.server_tls.mode\" is \"verify-ca\" or \"verify-full\""));
}

}  // namespace
}  // namespace tidemark::config
