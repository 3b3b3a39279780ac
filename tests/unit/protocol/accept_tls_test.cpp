// The accept machine and TLS: who asks for it, what may stand beside the request, what comes inside it.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/unit/protocol/accept_shell.hpp"

namespace tidemark::protocol {
namespace {

using namespace accept_test;

TlsPeer peer(std::string alpn = "") {
  return {.channel_binding = "hash of a certificate", .alpn = std::move(alpn), .certificate = std::nullopt};
}

/// Says that the TLS handshake is done.
Want encrypted(Shell& shell, TlsPeer with = peer()) {
  shell.want = shell.machine.on_tls(std::move(with), shell.output).want;
  return shell.want;
}

TEST(AcceptTls, AnSslRequestStartsTlsWhereItIsOffered) {
  for (const TlsOffer offer : {TlsOffer::allowed, TlsOffer::required}) {
    for (const bool after_gssenc : {false, true}) {
      Shell shell{.method = AuthMethod::trust, .tls = offer};
      if (after_gssenc) {
        EXPECT_EQ(shell.feed(gssenc_request), Want::more_bytes);
        EXPECT_EQ(shell.take_output(), "N");
      }
      EXPECT_EQ(shell.feed(ssl_request), Want::start_tls);
      EXPECT_EQ(shell.take_output(), "S");
      EXPECT_EQ(shell.pending, "");
      EXPECT_EQ(encrypted(shell), Want::more_bytes);
      EXPECT_EQ(shell.feed(startup), Want::authenticated);
      ASSERT_TRUE(shell.machine.tls_peer());
      EXPECT_EQ(shell.machine.tls_peer()->channel_binding, "hash of a certificate");
    }
  }
}

TEST(AcceptTls, BytesBehindTheRequestAreRefused) {
  for (const std::string& behind : {"\x16"s, startup, ssl_request}) {
    Shell shell{.tls = TlsOffer::allowed};
    EXPECT_EQ(shell.feed(ssl_request + behind), Want::close);
    EXPECT_EQ(error_of(shell.output).code, "08P01");
    EXPECT_EQ(error_of(shell.output).message, "received unencrypted data after SSL request");
    EXPECT_NE(shell.output[0], 'S') << "TLS never begins";
  }
}

TEST(AcceptTls, NothingIsTakenWhileTheHandshakeRuns) {
  Shell shell{.method = AuthMethod::trust, .tls = TlsOffer::allowed};
  shell.feed(ssl_request);
  shell.take_output();
  const AcceptMachine::Progress progress = shell.machine.on_bytes(startup, shell.output);
  EXPECT_EQ(progress.consumed, 0U);
  EXPECT_EQ(progress.want, Want::start_tls);
  EXPECT_EQ(shell.output, "");
}

TEST(AcceptTls, WithoutTlsARequiringListenerTakesNoStartupMessage) {
  for (const bool asked_for_gss : {false, true}) {
    Shell shell{.method = AuthMethod::trust, .tls = TlsOffer::required};
    if (asked_for_gss) shell.feed(gssenc_request);
    shell.take_output();
    EXPECT_EQ(shell.feed(startup), Want::close);
    const Error error = error_of(shell.output);
    EXPECT_EQ(error.severity, "FATAL");
    EXPECT_EQ(error.code, "28000");
    EXPECT_EQ(error.message, "connections without TLS are not accepted here");
    EXPECT_NE(error.hint.find("sslmode=require"), std::string::npos);
    EXPECT_EQ(shell.machine.refused_with(), sqlstate::invalid_authorization_specification);
  }
  Shell allowed{.method = AuthMethod::trust, .tls = TlsOffer::allowed};
  EXPECT_EQ(allowed.feed(startup), Want::authenticated);
}

TEST(AcceptTls, ACancelRequestIsTakenInPlainTextAndEncrypted) {
  std::string request;
  append_cancel_request(request, {42, std::string(32, 'k')});
  for (const bool with_tls : {false, true}) {
    Shell shell{.tls = TlsOffer::required};
    if (with_tls) {
      shell.feed(ssl_request);
      shell.take_output();
      encrypted(shell);
    }
    EXPECT_EQ(shell.feed(request), Want::cancel);
    EXPECT_EQ(shell.machine.cancel_key().secret_key, std::string(32, 'k'));
    EXPECT_EQ(shell.output, "");
  }
}

TEST(AcceptTls, DirectTlsBeginsWithItsFirstByte) {
  for (const std::string& bytes : {"\x16"s, "\x16\x03\x01\x02\x00\x01\x00"s}) {
    Shell shell{.method = AuthMethod::trust, .tls = TlsOffer::required};
    EXPECT_EQ(shell.feed(bytes), Want::start_tls);
    EXPECT_EQ(shell.pending, bytes) << "they are the handshake's";
    EXPECT_EQ(shell.output, "");
    shell.pending.clear();
    EXPECT_EQ(encrypted(shell, peer("postgresql")), Want::more_bytes);
    EXPECT_EQ(shell.feed(startup), Want::authenticated);
  }
}

TEST(AcceptTls, DirectTlsNeedsAlpn) {
  for (const std::string alpn : {"", "http/1.1", "postgres", "postgresql2"}) {
    Shell shell{.method = AuthMethod::trust, .tls = TlsOffer::allowed};
    shell.feed("\x16");
    shell.pending.clear();
    EXPECT_EQ(encrypted(shell, peer(alpn)), Want::close);
    EXPECT_EQ(error_of(shell.output).code, "08P01");
    EXPECT_EQ(error_of(shell.output).message,
              "received direct SSL connection request without ALPN protocol negotiation extension");
    EXPECT_EQ(shell.feed(startup), Want::close);
  }
}

TEST(AcceptTls, DirectTlsOnlyAsTheVeryFirstByteAndWhereTlsIsOffered) {
  Shell disabled;
  EXPECT_EQ(disabled.feed("\x16\x03\x01"), Want::close);
  EXPECT_EQ(error_of(disabled.output).message, "received a TLS handshake, but TLS is not enabled here");
  Shell late{.tls = TlsOffer::allowed};
  late.feed(gssenc_request);
  late.take_output();
  EXPECT_EQ(late.feed("\x16\x03\x01\x00"s), Want::close);
  Shell inside{.tls = TlsOffer::allowed};
  inside.feed("\x16");
  inside.pending.clear();
  encrypted(inside, peer("postgresql"));
  EXPECT_EQ(inside.feed("\x16\x03\x01\x00"s), Want::close);
  EXPECT_EQ(error_of(inside.output).code, "08P01");
}

TEST(AcceptTls, NoEncryptionRequestInsideTls) {
  for (const bool direct : {false, true}) {
    for (const std::string& request : {ssl_request, gssenc_request}) {
      Shell shell{.tls = TlsOffer::allowed};
      EXPECT_EQ(shell.feed(direct ? "\x16"s : ssl_request), Want::start_tls);
      shell.pending.clear();
      shell.take_output();
      EXPECT_EQ(encrypted(shell, peer("postgresql")), Want::more_bytes);
      EXPECT_EQ(shell.feed(request), Want::close);
      EXPECT_EQ(error_of(shell.output).code, "08P01");
      EXPECT_NE(error_of(shell.output).message.find("encrypted already"), std::string::npos);
    }
  }
}

TEST(AcceptTls, OnTlsWithoutARequestChangesNothing) {
  Shell shell{.method = AuthMethod::trust, .tls = TlsOffer::required};
  EXPECT_EQ(encrypted(shell), Want::more_bytes);
  EXPECT_FALSE(shell.machine.tls_peer());
  EXPECT_EQ(shell.feed(startup), Want::close);
}

TEST(AcceptTls, TheCertificateCountsOnlyWhereTlsHasVerifiedOne) {
  for (const bool shown : {false, true}) {
    Shell shell{.method = AuthMethod::cert, .tls = TlsOffer::allowed, .certificate_matches = true};
    shell.feed(ssl_request);
    shell.take_output();
    TlsPeer with = peer();
    if (shown) with.certificate = ClientCertificate{"app", "CN=app"};
    encrypted(shell, with);
    EXPECT_EQ(shell.feed(startup), shown ? Want::authenticated : Want::close);
    if (!shown) {
      EXPECT_EQ(error_of(shell.output).message, "connection requires a valid client certificate");
    }
  }
}

TEST(AcceptTls, ScramWithChannelBindingFromEndToEnd) {
  for (const bool tampered : {false, true}) {
    Shell shell{.tls = TlsOffer::required};
    shell.feed(ssl_request);
    shell.take_output();
    encrypted(shell);
    EXPECT_EQ(shell.feed(startup), Want::more_bytes);
    EXPECT_EQ(shell.take_output(), "R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"sv);
    const std::string password = "pencil";
    ScramClient client(&password, nullptr, std::string(18, 'c'), BindingFlag::used,
                       tampered ? "hash of another certificate" : "hash of a certificate");
    std::string data;
    std::string out;
    client.start(data);
    append_sasl_initial_response(out, "SCRAM-SHA-256-PLUS", data);
    ASSERT_EQ(shell.feed(out), Want::more_bytes);
    data.clear();
    ASSERT_EQ(client.on_server_first(messages(shell.take_output()).at(0).body.substr(4), data).verdict,
              ScramVerdict::ok);
    out.clear();
    append_sasl_response(out, data);
    EXPECT_EQ(shell.feed(out), tampered ? Want::close : Want::authenticated);
    if (tampered) {
      EXPECT_EQ(error_of(shell.output).code, "28000");
      EXPECT_EQ(error_of(shell.output).message, "SCRAM channel binding check failed");
    } else {
      EXPECT_TRUE(shell.machine.scram_keys()) << "they serve for our own login to the server";
      EXPECT_EQ(client.on_server_final(messages(shell.output).at(0).body.substr(4)).verdict,
                ScramVerdict::ok);
    }
  }
}

}  // namespace
}  // namespace tidemark::protocol
