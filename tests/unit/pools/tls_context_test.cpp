#include "pools/tls_context.hpp"

#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/unit/pools/tls_files.hpp"

namespace tidemark::pools {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Key and text of the error; empty when there is none.
TlsProblem problem_of(const std::function<void()>& build) {
  try {
    build();
  } catch (const TlsError& error) {
    EXPECT_EQ(error.what(), error.problem().key + ": " + error.problem().text);
    return error.problem();
  }
  return {};
}
TlsProblem problem_of(const ListenTlsSettings& settings) {
  return problem_of([&] { (void)TlsContext::for_clients(settings); });
}
TlsProblem problem_of(const ServerTlsSettings& settings) {
  return problem_of([&] { (void)TlsContext::for_servers(settings); });
}

TEST(TlsContext, IsBuiltFromGoodFilesWithoutAWord) {
  const TlsTestFiles files;
  auto settings = files.listen();
  settings.files.ca = files.cert();
  settings.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
  const auto context = TlsContext::for_clients(settings);
  EXPECT_THAT(context->warnings(), IsEmpty());
  EXPECT_EQ(context->end_point().size(), 48U);
  EXPECT_FALSE(context->checks_host());
  EXPECT_TRUE(TlsContext::for_servers(files.servers(protocol::SslMode::verify_full))->checks_host());
  EXPECT_FALSE(TlsContext::for_servers(files.servers(protocol::SslMode::verify_ca))->checks_host());
}

TEST(TlsContext, NamesTheKeyAndTheFileThatIsWrong) {
  const TlsTestFiles files;
  const TlsTestFiles others;
  const std::string text = files.write("text", "no certificate\n");

  auto settings = files.listen();
  settings.files.cert = "/nonexistent/c.pem";
  EXPECT_EQ(problem_of(settings).key, "listen.tls.cert");
  EXPECT_EQ(problem_of(settings).text, "\"/nonexistent/c.pem\" cannot be read: No such file or directory");
  settings.files.cert = text;
  EXPECT_THAT(problem_of(settings).text, HasSubstr("holds no usable certificate"));

  settings = files.listen();
  settings.files.key = others.key();
  EXPECT_EQ(problem_of(settings).key, "listen.tls.key");
  EXPECT_EQ(problem_of(settings).text,
            "\"" + others.key() + "\" is not the key of the certificate \"" + files.cert() + "\"");

  settings = files.listen();
  settings.files.ca = text;
  EXPECT_EQ(problem_of(settings).key, "listen.tls.client_ca");
  settings.files.ca = files.cert();
  settings.files.crl = files.cert();
  EXPECT_EQ(problem_of(settings).key, "listen.tls.crl");

  settings = files.listen();
  settings.ciphers = "NO-SUCH-CIPHER";
  EXPECT_EQ(problem_of(settings).key, "listen.tls.ciphers");

  auto servers = files.servers();
  servers.files.ca = text;
  EXPECT_EQ(problem_of(servers).key, "cluster.server_tls.ca");
}

TEST(TlsContext, AKeyThatOthersMayReadIsRefused) {
  const TlsTestFiles files;
  for (const mode_t mode : {0644U, 0604U, 0660U}) {
    ::chmod(files.key().c_str(), mode);
    EXPECT_EQ(problem_of(files.listen()).key, "listen.tls.key") << mode;
    EXPECT_THAT(problem_of(files.listen()).text, HasSubstr("may be read by others"));
  }
  ::chmod(files.key().c_str(), 0400);
  EXPECT_EQ(problem_of(files.listen()).key, "");
}

TEST(TlsContext, ASetUpHasAContextForEachSideThatEncrypts) {
  const TlsTestFiles files;
  std::vector<TlsProblem> warnings;
  const auto none = make_tls_setup({}, {}, warnings);
  EXPECT_EQ(none->for_clients, nullptr);
  EXPECT_EQ(none->for_servers, nullptr);
  const auto both = make_tls_setup(files.listen(), files.servers(), warnings);
  EXPECT_NE(both->for_clients, nullptr);
  EXPECT_NE(both->for_servers, nullptr);
  EXPECT_THAT(warnings, IsEmpty());
}

}  // namespace
}  // namespace tidemark::pools
