#include "pools/socket.hpp"

#include <cerrno>
#include <initializer_list>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "tests/unit/pools/socket_pair.hpp"

namespace tidemark::pools {
namespace {

bool is_closed(int descriptor) {
  return ::fcntl(descriptor, F_GETFD) == -1 && errno == EBADF;
}

/// Waits until the kernel reports one of `events`; the time limit only bounds a failure.
bool wait_for(const Socket& socket, short events) {
  pollfd one{socket.descriptor(), events, 0};
  return ::poll(&one, 1, 10'000) == 1;
}

TEST(SocketTest, OwnsItsDescriptor) {
  int descriptor = -1;
  {
    auto ends = socket_pair();
    descriptor = ends.first.descriptor();
    EXPECT_TRUE(ends.first.is_open());
    EXPECT_FALSE(is_closed(descriptor));
  }
  EXPECT_TRUE(is_closed(descriptor));
}

TEST(SocketTest, MovesItsDescriptor) {
  auto ends = socket_pair();
  const int descriptor = ends.first.descriptor();
  Socket moved(std::move(ends.first));
  EXPECT_FALSE(ends.first.is_open());  // NOLINT(bugprone-use-after-move): what is left is specified
  EXPECT_EQ(moved.descriptor(), descriptor);
  auto others = socket_pair();
  const int replaced = others.first.descriptor();
  others.first = std::move(moved);
  EXPECT_TRUE(is_closed(replaced));
  EXPECT_EQ(others.first.descriptor(), descriptor);
  EXPECT_TRUE(others.first.send("x"));
  EXPECT_EQ(receive_all(ends.second), "x");
}

TEST(SocketTest, MovesWhatItKeeps) {
  auto ends = socket_pair();
  std::string sent(200'000, 'x');
  sent += "end";
  ASSERT_TRUE(ends.first.send(sent));
  ASSERT_TRUE(ends.first.blocked());
  Socket moved(std::move(ends.first));
  EXPECT_TRUE(moved.blocked());
  EXPECT_FALSE(ends.first.blocked());  // NOLINT(bugprone-use-after-move)
  std::string got;
  while (got.size() < sent.size()) {
    const std::string part = receive_all(ends.second);
    ASSERT_FALSE(part.empty());
    got += part;
    ASSERT_TRUE(moved.flush());
  }
  EXPECT_EQ(got, sent);
}

TEST(SocketTest, TellsNothingThereFromTheEnd) {
  auto ends = socket_pair();
  char byte = 0;
  auto got = ends.first.receive(&byte, 1);
  EXPECT_TRUE(got.would_block);
  EXPECT_FALSE(got.closed);
  ASSERT_TRUE(ends.second.send("ab"));
  got = ends.first.receive(&byte, 1);
  EXPECT_EQ(got.bytes, 1U);
  EXPECT_FALSE(got.would_block || got.closed);
  ends.second.close();
  got = ends.first.receive(&byte, 1);
  EXPECT_EQ(got.bytes, 1U) << "what came before the end";
  got = ends.first.receive(&byte, 1);
  EXPECT_TRUE(got.closed);
}

TEST(SocketTest, KeepsWhatThePeerDoesNotTake) {
  auto ends = socket_pair();
  std::string sent;
  for (int i = 0; i < 50; ++i) {
    const std::string part(5000, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(ends.first.send(part));
    sent += part;
  }
  EXPECT_TRUE(ends.first.blocked());
  ASSERT_TRUE(ends.first.flush()) << "that the peer takes nothing is no error";
  std::string got;
  while (got.size() < sent.size()) {
    const std::string part = receive_all(ends.second);
    ASSERT_FALSE(part.empty());
    got += part;
    ASSERT_TRUE(ends.first.flush());
  }
  EXPECT_EQ(got, sent);
  EXPECT_FALSE(ends.first.blocked());
  ASSERT_TRUE(ends.first.send("after"));
  EXPECT_EQ(receive_all(ends.second), "after");
}

TEST(SocketTest, GatheredPartsGoOnWhereTheKernelStopped) {
  for (std::size_t total : {1U, 1000U, 100'000U, 1'000'000U}) {
    auto ends = socket_pair();
    std::string first(total / 3, 'a');
    std::string empty;
    std::string second(total - total / 3, 'b');
    iovec parts[] = {{first.data(), first.size()}, {empty.data(), 0}, {second.data(), second.size()}};
    ASSERT_TRUE(ends.first.send(parts, 3));
    std::string got;
    while (got.size() < total) {
      const std::string part = receive_all(ends.second);
      ASSERT_FALSE(part.empty());
      got += part;
      ASSERT_TRUE(ends.first.flush());
    }
    EXPECT_EQ(got, first + second);
  }
}

TEST(SocketTest, GatheredPartsWaitBehindWhatIsKept) {
  auto ends = socket_pair();
  std::string sent(300'000, 'x');
  ASSERT_TRUE(ends.first.send(sent));
  ASSERT_TRUE(ends.first.blocked());
  std::string one = "one";
  std::string two = "two";
  iovec parts[] = {{one.data(), one.size()}, {two.data(), two.size()}};
  ASSERT_TRUE(ends.first.send(parts, 2));
  sent += "onetwo";
  std::string got;
  while (got.size() < sent.size()) {
    const std::string part = receive_all(ends.second);
    ASSERT_FALSE(part.empty());
    got += part;
    ASSERT_TRUE(ends.first.flush());
  }
  EXPECT_EQ(got, sent);
}

TEST(SocketTest, TellsOfABrokenConnection) {
  auto ends = socket_pair();
  ASSERT_TRUE(ends.first.send(std::string(300'000, 'x')));
  ASSERT_TRUE(ends.first.blocked());
  ends.second.close();
  EXPECT_FALSE(ends.first.flush());
  auto others = socket_pair();
  others.second.close();
  EXPECT_FALSE(others.first.send("x")) << "and the process lives: no SIGPIPE";
  std::string bytes = "x";
  iovec parts[] = {{bytes.data(), 1}, {bytes.data(), 1}};
  EXPECT_FALSE(others.first.send(parts, 2));
}

TEST(SocketTest, ConnectsToAListener) {
  const Socket listener = listen_on("127.0.0.1", 0);
  EXPECT_FALSE(accept_from(listener).is_open()) << "nobody there yet";
  Socket client = start_connect({"127.0.0.1", port_of(listener)});
  ASSERT_TRUE(client.is_open());
  ASSERT_TRUE(wait_for(listener, POLLIN));
  Socket accepted = accept_from(listener);
  ASSERT_TRUE(accepted.is_open());
  ASSERT_TRUE(wait_for(client, POLLOUT));
  EXPECT_EQ(connect_error(client), 0);
  ASSERT_TRUE(client.send("hello"));
  ASSERT_TRUE(wait_for(accepted, POLLIN));
  EXPECT_EQ(receive_all(accepted), "hello");
  for (const Socket* each : std::initializer_list<const Socket*>{&client, &accepted, &listener}) {
    EXPECT_NE(::fcntl(each->descriptor(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(::fcntl(each->descriptor(), F_GETFD) & FD_CLOEXEC, 0);
  }
}

TEST(SocketTest, ARefusedConnectionSaysSo) {
  const RefusingPort nobody;
  const Socket client = start_connect({"127.0.0.1", nobody.port});
  if (!client.is_open()) return;  // refused at once: as the contract has it
  ASSERT_TRUE(wait_for(client, POLLOUT));
  EXPECT_EQ(connect_error(client), ECONNREFUSED);
}

TEST(SocketTest, AnAddressMustBeNumericOrAFolder) {
  EXPECT_FALSE(start_connect({"", 5432}).is_open());
  EXPECT_FALSE(start_connect({"localhost", 5432}).is_open());
  EXPECT_FALSE(start_connect({"300.1.1.1", 5432}).is_open());
  EXPECT_FALSE(start_connect({"/" + std::string(200, 'x'), 5432}).is_open())
      << "longer than a Unix socket's path";
  EXPECT_FALSE(start_connect({"/nonexistent/folder", 5432}).is_open());
}

TEST(SocketTest, AListenersErrorNamesTheAddress) {
  const Socket listener = listen_on("localhost", 0);
  const std::uint16_t port = port_of(listener);
  try {
    (void)listen_on("127.0.0.1", port);
    FAIL() << "the port is in use";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EADDRINUSE);
    EXPECT_NE(std::string(error.what()).find("127.0.0.1:" + std::to_string(port)), std::string::npos);
  }
  EXPECT_THROW((void)listen_on("no-address", 0), std::runtime_error);
  EXPECT_THROW((void)listen_on("/tmp", 0), std::runtime_error);
}

}  // namespace
}  // namespace tidemark::pools
