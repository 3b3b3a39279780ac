#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <openssl/ssl.h>
#include <poll.h>

#include "pools/socket.hpp"
#include "pools/tls_context.hpp"
#include "tests/unit/pools/socket_pair.hpp"
#include "tests/unit/pools/tls_files.hpp"

namespace tidemark::pools {
namespace {

using ::testing::HasSubstr;
using Status = Socket::Handshake::Status;

/// Bytes that no two places share, so that a lost or doubled record shows.
std::string pattern(std::size_t size) {
  std::string text;
  text.reserve(size + 12);
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ',';
  text.resize(size);
  return text;
}

/// Both ends of one encrypted connection.
class TlsSocketTest : public ::testing::Test {
 protected:
  TlsSocketTest() {
    auto ends = socket_pair();
    server = std::move(ends.first);
    client = std::move(ends.second);
  }

  void begin(TlsMinVersion version = TlsMinVersion::tls_1_2, const std::string& host = "127.0.0.1") {
    auto settings = files.servers();
    settings.min_version = version;
    server.start_tls_server(TlsContext::for_clients(files.listen()));
    client.start_tls_client(TlsContext::for_servers(settings), host);
  }
  /// Lets both ends go on until neither can; how they ended.
  std::pair<Socket::Handshake, Socket::Handshake> shake() {
    Socket::Handshake of_server;
    Socket::Handshake of_client;
    for (int turn = 0; turn < 20; ++turn) {
      if (of_client.status == Status::again) of_client = client.continue_handshake();
      if (of_server.status == Status::again) of_server = server.continue_handshake();
      if (client.is_open() && client.blocked()) (void)client.flush();
      if (server.is_open() && server.blocked()) (void)server.flush();
    }
    return {of_server, of_client};
  }
  void establish(TlsMinVersion version = TlsMinVersion::tls_1_2) {
    begin(version);
    const auto [of_server, of_client] = shake();
    ASSERT_EQ(of_server.status, Status::done) << of_server.text;
    ASSERT_EQ(of_client.status, Status::done) << of_client.text;
  }
  /// Moves what `from` keeps to `to`, in rooms of `room` bytes.
  static std::string drain(Socket& from, Socket& to, std::size_t size, std::size_t room = 4096) {
    std::string got;
    std::string block(room, '\0');
    while (got.size() < size) {
      const auto part = to.receive(block.data(), room);
      if (part.closed) break;
      got.append(block, 0, part.bytes);
      if (part.would_block && !from.blocked()) break;
      EXPECT_TRUE(from.flush());
    }
    return got;
  }

  TlsTestFiles files;
  Socket server;
  Socket client;
};

TEST_F(TlsSocketTest, CarriesBytesBothWaysUnseen) {
  establish();
  ASSERT_TRUE(client.send("question"));
  char wire[256];
  const ssize_t seen = ::recv(server.descriptor(), wire, sizeof wire, MSG_PEEK);
  ASSERT_GT(seen, 8);
  EXPECT_EQ(std::string(wire, static_cast<std::size_t>(seen)).find("question"), std::string::npos);
  EXPECT_EQ(receive_all(server), "question");
  ASSERT_TRUE(server.send("answer"));
  EXPECT_EQ(receive_all(client), "answer");
  char byte = 0;
  EXPECT_TRUE(client.receive(&byte, 1).would_block);
}

TEST_F(TlsSocketTest, ShowsBothSidesTheSameCertificateHash) {
  establish();
  const TlsPeer at_client = client.tls_peer();
  EXPECT_EQ(at_client.server_end_point.size(), 48U) << "SHA-384, as the certificate's signature";
  EXPECT_EQ(server.tls_peer().server_end_point, at_client.server_end_point);
  EXPECT_TRUE(at_client.verified);
  EXPECT_EQ(at_client.common_name, "app");
  EXPECT_EQ(at_client.subject, "CN=app,O=Shop");
  EXPECT_EQ(at_client.alpn, "postgresql");
  EXPECT_FALSE(server.tls_peer().verified) << "the client has shown none";
}

TEST_F(TlsSocketTest, TakesAHandshakeInSinglePieces) {
  auto [far_client, relay_in] = socket_pair();
  auto [relay_out, far_server] = socket_pair();
  far_server.start_tls_server(TlsContext::for_clients(files.listen()));
  far_client.start_tls_client(TlsContext::for_servers(files.servers()), "127.0.0.1");
  Socket::Handshake of_server;
  Socket::Handshake of_client;
  const auto byte_by_byte = [&](Socket& from, Socket& to, Socket& end, Socket::Handshake& handshake) {
    char byte = 0;
    while (from.receive(&byte, 1).bytes == 1) {
      ASSERT_TRUE(to.send({&byte, 1}));
      if (handshake.status == Status::again) handshake = end.continue_handshake();
      ASSERT_NE(handshake.status, Status::failed) << handshake.text;
    }
  };
  of_client = far_client.continue_handshake();
  for (int turn = 0; turn < 5; ++turn) {
    byte_by_byte(relay_in, relay_out, far_server, of_server);
    byte_by_byte(relay_out, relay_in, far_client, of_client);
  }
  EXPECT_EQ(of_server.status, Status::done);
  EXPECT_EQ(of_client.status, Status::done);
}

TEST_F(TlsSocketTest, BeginsWithBytesThatWereReceivedAlready) {
  client.start_tls_client(TlsContext::for_servers(files.servers()), "127.0.0.1");
  ASSERT_EQ(client.continue_handshake().status, Status::again);
  const std::string hello = receive_all(server);
  ASSERT_FALSE(hello.empty());
  server.start_tls_server(TlsContext::for_clients(files.listen()), hello);
  const auto [of_server, of_client] = shake();
  EXPECT_EQ(of_server.status, Status::done) << of_server.text;
  EXPECT_EQ(of_client.status, Status::done) << of_client.text;
}

TEST_F(TlsSocketTest, AShortReceiveHasEmptiedTheSocketAndAFullOneMayNotHave) {
  for (const auto version : {TlsMinVersion::tls_1_2, TlsMinVersion::tls_1_3}) {
    std::tie(server, client) = socket_pair();
    establish(version);
    // Several records, read by rooms that end inside, at the end of and behind a record.
    for (const std::size_t room : {1U, 7U, 4096U, 16384U, 16385U, 40000U}) {
      const std::string sent = pattern(40'000);
      ASSERT_TRUE(client.send(sent));
      std::string got;
      std::string block(room, '\0');
      bool drained = false;
      while (got.size() < sent.size()) {
        const auto part = server.receive(block.data(), room);
        ASSERT_FALSE(part.closed);
        got.append(block, 0, part.bytes);
        drained = part.bytes < room;
        if (drained && got.size() < sent.size()) {
          // Only what the sender still keeps may be missing.
          ASSERT_TRUE(client.blocked()) << "stranded at " << got.size() << " with room " << room;
        }
        ASSERT_TRUE(client.flush());
      }
      EXPECT_EQ(got, sent);
      char byte = 0;
      if (!drained) {
        EXPECT_TRUE(server.receive(&byte, 1).would_block);
      }
    }
  }
}

TEST_F(TlsSocketTest, KeepsWhatASlowReaderDoesNotTake) {
  establish();
  const std::string sent = pattern(3'000'000);
  std::size_t from = 0;
  for (const std::size_t part : {1U, 100'000U, 16'384U, 16'383U, 2'000'000U}) {
    ASSERT_TRUE(client.send(std::string_view(sent).substr(from, part)));
    from += part;
  }
  ASSERT_TRUE(client.blocked());
  std::string rest = sent.substr(from);
  iovec parts[] = {{rest.data(), 10}, {rest.data() + 10, 0}, {rest.data() + 10, rest.size() - 10}};
  ASSERT_TRUE(client.send(parts, 3));
  EXPECT_EQ(drain(client, server, sent.size()), sent);
  EXPECT_FALSE(client.blocked());
}

TEST_F(TlsSocketTest, GathersPiecesIntoOneRecord) {
  establish();
  std::string one = "one";
  std::string two = "two";
  std::string three(1000, '3');
  iovec parts[] = {{one.data(), 3}, {two.data(), 3}, {three.data(), three.size()}};
  ASSERT_TRUE(client.send(parts, 3));
  char wire[4096];
  const ssize_t seen = ::recv(server.descriptor(), wire, sizeof wire, MSG_PEEK);
  ASSERT_GT(seen, 5);
  const auto byte = [&](int i) { return static_cast<std::size_t>(static_cast<unsigned char>(wire[i])); };
  EXPECT_EQ(byte(3) * 256 + byte(4) + 5, static_cast<std::size_t>(seen)) << "its length is the whole";
  EXPECT_EQ(receive_all(server), one + two + three);
}

TEST_F(TlsSocketTest, PeeksWithoutTaking) {
  establish();
  EXPECT_EQ(server.peek(), -2);
  ASSERT_TRUE(client.send("X"));
  EXPECT_EQ(server.peek(), 'X');
  EXPECT_EQ(server.peek(), 'X');
  EXPECT_EQ(receive_all(server), "X");
  client.close();
  EXPECT_EQ(server.peek(), -1);
}

TEST_F(TlsSocketTest, AnEndIsAnEndWithAndWithoutAWord) {
  establish();
  ASSERT_TRUE(client.send("last"));
  client.close();  // says close_notify
  char block[64];
  EXPECT_EQ(server.receive(block, sizeof block).bytes, 4U);
  EXPECT_TRUE(server.receive(block, sizeof block).closed);

  std::tie(server, client) = socket_pair();
  establish();
  ASSERT_TRUE(client.send("last"));
  ::shutdown(client.descriptor(), SHUT_RDWR);  // cut off
  EXPECT_EQ(server.receive(block, sizeof block).bytes, 4U);
  EXPECT_TRUE(server.receive(block, sizeof block).closed);
}

TEST_F(TlsSocketTest, AnEndBehindBytesMakesTheDescriptorReadableAgain) {
  establish();
  // The record of "last" and the alert in one go, and the descriptor stays open.
  ASSERT_TRUE(client.send("last"));
  const int kept_open = ::dup(client.descriptor());
  client.close();
  char block[64];
  EXPECT_EQ(server.receive(block, sizeof block).bytes, 4U);
  pollfd one{server.descriptor(), POLLIN | POLLRDHUP, 0};
  ASSERT_EQ(::poll(&one, 1, 0), 1);
  EXPECT_NE(one.revents & POLLRDHUP, 0) << "who watches the descriptor hears of the end";
  EXPECT_TRUE(server.receive(block, sizeof block).closed);
  ::close(kept_open);
}

TEST_F(TlsSocketTest, ClosingNeverWaitsForASlowPeer) {
  establish();
  ASSERT_TRUE(server.send(pattern(2'000'000)));
  ASSERT_TRUE(server.blocked());
  server.close();
  EXPECT_FALSE(server.is_open());
}

TEST_F(TlsSocketTest, ABrokenConnectionIsTold) {
  establish();
  client.close();
  bool broken = false;
  for (int i = 0; i < 3 && !broken; ++i) broken = !server.send("x");
  EXPECT_TRUE(broken) << "and the process lives: no SIGPIPE";
}

TEST_F(TlsSocketTest, GarbageBehindTheHandshakeEndsTheConnection) {
  establish();
  ASSERT_GT(::send(client.descriptor(), "\x17\x03\x03\x00\x20garbagegarbagegarbagegarbagegarb", 37, 0), 0);
  char block[64];
  EXPECT_TRUE(server.receive(block, sizeof block).closed);
  EXPECT_FALSE(server.send("x"));
}

TEST_F(TlsSocketTest, GarbageInsteadOfAHandshakeFails) {
  for (const std::string& garbage :
       {std::string(64, '\0'), pattern(5000), std::string("GET / HTTP/1.1\r\n\r\n"),
        std::string("\x16\x03\x01\xff\xff", 5) + pattern(1000)}) {
    std::tie(server, client) = socket_pair();
    server.start_tls_server(TlsContext::for_clients(files.listen()));
    ASSERT_TRUE(client.send(garbage));
    auto handshake = server.continue_handshake();
    EXPECT_EQ(handshake.status, Status::failed);
    EXPECT_FALSE(handshake.text.empty());
    handshake = server.continue_handshake();
    EXPECT_EQ(handshake.status, Status::failed) << "and stays so";
  }
}

TEST_F(TlsSocketTest, AHandshakeThatIsCutOffSaysSo) {
  server.start_tls_server(TlsContext::for_clients(files.listen()));
  ASSERT_TRUE(client.send(std::string_view("\x16\x03\x01\x02\x00\x01", 6)));
  ASSERT_EQ(server.continue_handshake().status, Status::again);
  client.close();
  const auto handshake = server.continue_handshake();
  EXPECT_EQ(handshake.status, Status::failed);
  EXPECT_THAT(handshake.text, HasSubstr("closed the connection during the TLS handshake"));
}

TEST_F(TlsSocketTest, NothingIsSentOrReceivedBeforeTheHandshakeIsDone) {
  begin();
  char byte = 0;
  EXPECT_FALSE(server.send("too early"));
  EXPECT_TRUE(server.receive(&byte, 1).would_block);
  const auto [of_server, of_client] = shake();
  EXPECT_EQ(of_server.status, Status::done);
  ASSERT_TRUE(client.send("x"));
  EXPECT_EQ(receive_all(server), "x");
}

TEST_F(TlsSocketTest, TheHostIsCheckedByNameAndByAddress) {
  begin(TlsMinVersion::tls_1_2, "127.0.0.2");
  auto [of_server, of_client] = shake();
  EXPECT_EQ(of_client.status, Status::failed);
  EXPECT_EQ(of_client.text, "the server's certificate does not name the host \"127.0.0.2\"");
  EXPECT_EQ(of_server.status, Status::failed);

  std::tie(server, client) = socket_pair();
  begin(TlsMinVersion::tls_1_2, "db.test");
  std::tie(of_server, of_client) = shake();
  EXPECT_EQ(of_client.text, "the server's certificate does not name the host \"db.test\"");

  const TlsTestFiles named("DNS:db.test");
  std::tie(server, client) = socket_pair();
  server.start_tls_server(TlsContext::for_clients(named.listen()));
  client.start_tls_client(TlsContext::for_servers(named.servers()), "db.test");
  std::tie(of_server, of_client) = shake();
  EXPECT_EQ(of_client.status, Status::done) << of_client.text;
}

TEST_F(TlsSocketTest, AnUnknownAuthorityIsRefusedUnlessNobodyAsks) {
  const TlsTestFiles others;
  server.start_tls_server(TlsContext::for_clients(files.listen()));
  client.start_tls_client(TlsContext::for_servers(others.servers(protocol::SslMode::verify_ca)), "127.0.0.1");
  auto [of_server, of_client] = shake();
  EXPECT_EQ(of_client.status, Status::failed);
  EXPECT_THAT(of_client.text, HasSubstr("certificate verify failed: "));
  EXPECT_THAT(of_server.text, HasSubstr("alert"));

  std::tie(server, client) = socket_pair();
  server.start_tls_server(TlsContext::for_clients(files.listen()));
  client.start_tls_client(TlsContext::for_servers(files.servers(protocol::SslMode::require)), "elsewhere");
  std::tie(of_server, of_client) = shake();
  EXPECT_EQ(of_client.status, Status::done) << of_client.text;
  EXPECT_FALSE(client.tls_peer().verified);
  EXPECT_FALSE(client.tls_peer().server_end_point.empty()) << "channel binding needs no verification";
}

TEST_F(TlsSocketTest, AClientsCertificateIsVerifiedAndNamed) {
  auto listen = files.listen(ListenTlsMode::verify_full);
  listen.files.ca = files.cert();
  auto servers = files.servers();
  server.start_tls_server(TlsContext::for_clients(listen));
  client.start_tls_client(TlsContext::for_servers(servers), "127.0.0.1");
  auto [of_server, of_client] = shake();
  EXPECT_EQ(of_server.status, Status::failed);
  EXPECT_THAT(of_server.text, HasSubstr("did not return a certificate"));

  servers.files.cert = files.cert();
  servers.files.key = files.key();
  std::tie(server, client) = socket_pair();
  server.start_tls_server(TlsContext::for_clients(listen));
  client.start_tls_client(TlsContext::for_servers(servers), "127.0.0.1");
  std::tie(of_server, of_client) = shake();
  ASSERT_EQ(of_server.status, Status::done) << of_server.text;
  const TlsPeer peer = server.tls_peer();
  EXPECT_TRUE(peer.verified);
  EXPECT_EQ(peer.common_name, "app");
  EXPECT_EQ(peer.subject, "CN=app,O=Shop");
}

/// A client of OpenSSL's own on the other end of the pair, for what ours never does.
class ForeignPeer {
 public:
  explicit ForeignPeer(int descriptor) : context_(SSL_CTX_new(TLS_client_method())), ssl_(SSL_new(context_)) {
    SSL_set_fd(ssl_, descriptor);
    SSL_set_connect_state(ssl_);
  }
  ~ForeignPeer() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  ForeignPeer(const ForeignPeer&) = delete;
  ForeignPeer& operator=(const ForeignPeer&) = delete;
  [[nodiscard]] SSL* ssl() const { return ssl_; }

 private:
  SSL_CTX* context_;
  SSL* ssl_;
};

TEST_F(TlsSocketTest, FollowsKeyUpdates) {
  const ForeignPeer peer(client.descriptor());
  server.start_tls_server(TlsContext::for_clients(files.listen()));
  Socket::Handshake handshake;
  for (int turn = 0; turn < 10 && handshake.status != Status::done; ++turn) {
    (void)SSL_do_handshake(peer.ssl());
    handshake = server.continue_handshake();
  }
  ASSERT_EQ(handshake.status, Status::done) << handshake.text;
  for (int round = 0; round < 5; ++round) {
    ASSERT_EQ(SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(SSL_write(peer.ssl(), "after", 5), 5);
    EXPECT_EQ(receive_all(server), "after");
    ASSERT_TRUE(server.send("answer"));  // the new key of ours goes before it
    char block[16];
    EXPECT_EQ(SSL_read(peer.ssl(), block, sizeof block), 6);
  }
  // Asked for while the peer takes nothing of ours: what was kept stays in order.
  const std::string large = pattern(1'000'000);
  ASSERT_TRUE(server.send(large));
  ASSERT_TRUE(server.blocked());
  ASSERT_EQ(SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
  ASSERT_EQ(SSL_write(peer.ssl(), "more", 4), 4);
  EXPECT_EQ(receive_all(server), "more");
  ASSERT_TRUE(server.send("end"));
  std::string got;
  std::string block(20'000, '\0');
  for (int turn = 0; turn < 10'000 && got.size() < large.size() + 3; ++turn) {
    const int part = SSL_read(peer.ssl(), block.data(), static_cast<int>(block.size()));
    if (part > 0) got.append(block, 0, static_cast<std::size_t>(part));
    ASSERT_TRUE(server.flush());
  }
  EXPECT_EQ(got, large + "end");
}

}  // namespace
}  // namespace tidemark::pools
