#include "pools/unix_listener.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace tidemark::pools {

namespace {

constexpr int kBacklog = 4096;
constexpr mode_t kOwnerOnly = 0600;
constexpr mode_t kAllBits = 0777;

[[noreturn]] void fail(const std::filesystem::path& path) {
  throw std::system_error(errno, std::generic_category(), "cannot listen on " + path.string());
}

/// PostgreSQL keeps a lock of its own kind: only a connection tells that one listens.
bool somebody_listens(const sockaddr_un& address) {
  const Socket probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!probe.is_open()) return true;
  if (::connect(probe.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return true;
  return errno != ECONNREFUSED && errno != ENOENT;
}

}  // namespace

UnixListener::UnixListener(const std::filesystem::path& folder, std::uint16_t port, std::uint32_t mode)
    : path_(folder / (".s.PGSQL." + std::to_string(port))), lock_path_(path_.string() + ".lock") {
  sockaddr_un address{};
  const std::string text = path_.string();
  if (text.size() >= sizeof address.sun_path)
    throw std::runtime_error("cannot listen on " + text + ": the path is too long");
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);

  lock_ = ::open(lock_path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly);
  if (lock_ < 0) fail(lock_path_);
  const bool taken = ::flock(lock_, LOCK_EX | LOCK_NB) != 0;
  if (taken || somebody_listens(address)) {
    ::close(lock_);
    throw std::runtime_error("cannot listen on " + text + ": another process does");
  }
  ::unlink(text.c_str());
  socket_ = Socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // The permissions are there from the first moment on.
  const mode_t before = ::umask(kAllBits & ~static_cast<mode_t>(mode));
  const bool bound =
      socket_.is_open() &&
      ::bind(socket_.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::umask(before);
  if (!bound || ::listen(socket_.descriptor(), kBacklog) != 0) {
    const int error = errno;
    ::close(lock_);
    errno = error;
    fail(path_);
  }
}

UnixListener::~UnixListener() {
  ::unlink(path_.c_str());
  ::unlink(lock_path_.c_str());
  ::close(lock_);
}

}  // namespace tidemark::pools
