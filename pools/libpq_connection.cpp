#include "pools/libpq_connection.hpp"

#include <array>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <libpq-fe.h>

namespace tidemark::pools {

namespace asio = boost::asio;

namespace {

const char* name_of(protocol::SslMode mode) {
  switch (mode) {
    case protocol::SslMode::disable:
      return "disable";
    case protocol::SslMode::prefer:
      return "prefer";
    case protocol::SslMode::require:
      return "require";
    case protocol::SslMode::verify_ca:
      return "verify-ca";
    case protocol::SslMode::verify_full:
      break;
  }
  return "verify-full";
}

/// libpq takes an empty path for its default, and a file that is not there for none.
const char* or_none(const std::string& path) {
  return path.empty() ? "/dev/null/none" : path.c_str();
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const bool space = static_cast<unsigned char>(c) <= ' ';
    if (!space) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

int LibpqResult::rows() const {
  return PQntuples(result_);
}
int LibpqResult::columns() const {
  return PQnfields(result_);
}

std::optional<std::string_view> LibpqResult::value(int row, int column) const {
  if (row < 0 || row >= rows() || column < 0 || column >= columns()) return std::nullopt;
  if (PQgetisnull(result_, row, column) != 0) return std::nullopt;
  return std::string_view(PQgetvalue(result_, row, column),
                          static_cast<std::size_t>(PQgetlength(result_, row, column)));
}

LibpqConnection::LibpqConnection(asio::io_context& io, CallbackGuard& guard, LibpqClient& client)
    : guard_(guard), client_(client), socket_(io), timer_(io) {}

LibpqConnection::~LibpqConnection() {
  close();
}

/// A handler that does nothing once this connection is closed, even if another one has been opened since.
template <class Function>
auto LibpqConnection::guarded(Function function) {
  return guard_.wrap([this, epoch = epoch_, function](const auto&...) {
    if (epoch == epoch_) function();
  });
}

void LibpqConnection::connect(const LibpqTarget& target, Clock::duration time_limit) {
  close();
  const std::string port = std::to_string(target.port);
  const std::string limit = std::to_string(target.statement_timeout.count());
  // search_path: nothing that a user has created can stand in for a function that is named here. TimeZone and
  // DateStyle: a point in time has one text.
  const std::string options = "-c statement_timeout=" + limit + " -c lock_timeout=" + limit +
                              " -c default_transaction_read_only=on -c search_path=pg_catalog -c jit=off" +
                              " -c TimeZone=UTC -c DateStyle=ISO";
  const std::string user_timeout =
      std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time_limit).count());
  const bool local = target.host.starts_with('/');
  const TlsFiles& files = target.tls.files;
  // Settings given here keep the process's PG… environment variables and the files of ~/.postgresql out.
  const std::array<std::pair<const char*, const char*>, 24> settings{{
      {"host", local ? target.host.c_str() : target.host_name.c_str()},
      {"hostaddr", local ? nullptr : target.host.c_str()},
      {"port", port.c_str()},
      {"user", target.user.c_str()},
      {"password", target.password ? target.password->c_str() : nullptr},
      {"dbname", target.database.c_str()},
      {"application_name", target.application_name.c_str()},
      {"options", options.c_str()},
      {"client_encoding", "UTF8"},
      {"sslmode", name_of(target.tls.mode)},
      {"sslrootcert", or_none(files.ca)},
      {"sslcrl", or_none(files.crl)},
      {"sslcert", or_none(files.cert)},
      {"sslkey", or_none(files.key)},
      {"ssl_min_protocol_version", target.tls.min_version == TlsMinVersion::tls_1_3 ? "TLSv1.3" : "TLSv1.2"},
      {"sslcompression", "0"},
      {"gssencmode", "disable"},
      {"target_session_attrs", "any"},
      {"replication", "false"},
      {"keepalives", "1"},
      {"keepalives_idle", "5"},
      {"keepalives_interval", "1"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", user_timeout.c_str()},
  }};
  std::array<const char*, settings.size() + 1> names{};
  std::array<const char*, settings.size() + 1> values{};
  for (std::size_t i = 0; i < settings.size(); ++i) {
    names[i] = settings[i].first;
    values[i] = settings[i].second;
  }
  connection_ = PQconnectStartParams(names.data(), values.data(), 0);
  phase_ = Phase::connecting;
  set_deadline(time_limit);
  if (connection_ == nullptr || PQstatus(connection_) == CONNECTION_BAD) {
    asio::post(socket_.get_executor(), guarded([this] { lose(error_text()); }));
    return;
  }
  PQsetNoticeProcessor(connection_, &LibpqConnection::keep_notice, this);
  wait_connect(true);
}

void LibpqConnection::keep_notice(void* self, const char* message) {
  static_cast<LibpqConnection*>(self)->notice_ = one_line(message);
}

void LibpqConnection::wait_connect(bool for_write) {
  // libpq may close this socket and open another one at each step, so it is ours only while we wait.
  const int descriptor = PQsocket(connection_);
  boost::system::error_code error;
  if (descriptor >= 0) socket_.assign(descriptor, error);
  if (descriptor < 0 || error) {
    asio::post(socket_.get_executor(), guarded([this] { lose("the socket cannot be waited for"); }));
    return;
  }
  const auto wait =
      for_write ? asio::posix::descriptor_base::wait_write : asio::posix::descriptor_base::wait_read;
  socket_.async_wait(wait, guarded([this] { poll_connect(); }));
}

void LibpqConnection::poll_connect() {
  socket_.release();
  switch (PQconnectPoll(connection_)) {
    case PGRES_POLLING_READING:
      return wait_connect(false);
    case PGRES_POLLING_WRITING:
      return wait_connect(true);
    case PGRES_POLLING_OK:
      break;
    default:
      return lose(error_text());
  }
  boost::system::error_code error;
  socket_.assign(PQsocket(connection_), error);
  if (error || PQsetnonblocking(connection_, 1) != 0) return lose("the socket cannot be made non-blocking");
  phase_ = Phase::idle;
  wait_readable();
  client_.on_connected();
}

void LibpqConnection::query(const char* sql, Clock::duration time_limit) {
  if (phase_ == Phase::idle) sent(PQsendQuery(connection_, sql), time_limit);
}

void LibpqConnection::query(const char* sql, std::span<const std::string> values,
                            Clock::duration time_limit) {
  if (phase_ != Phase::idle) return;
  std::vector<const char*> texts;
  for (const std::string& value : values) texts.push_back(value.c_str());
  sent(PQsendQueryParams(connection_, sql, static_cast<int>(texts.size()), nullptr, texts.data(), nullptr,
                         nullptr, 0),
       time_limit);
}

void LibpqConnection::execute(const char* statement, Clock::duration time_limit) {
  if (phase_ != Phase::idle) return;
  sent(PQsendQueryPrepared(connection_, statement, 0, nullptr, nullptr, nullptr, 1), time_limit);
}

void LibpqConnection::sent(int accepted, Clock::duration time_limit) {
  phase_ = Phase::busy;
  set_deadline(time_limit);
  if (accepted == 0) {
    asio::post(socket_.get_executor(), guarded([this] { lose(error_text()); }));
    return;
  }
  flush();
}

void LibpqConnection::flush() {
  const int left = PQflush(connection_);
  if (left == 0) return;
  if (left < 0) {
    asio::post(socket_.get_executor(), guarded([this] { lose(error_text()); }));
    return;
  }
  socket_.async_wait(asio::posix::descriptor_base::wait_write, guarded([this] { flush(); }));
}

void LibpqConnection::wait_readable() {
  // Always waiting, also when nothing was asked: so a server's death is noticed when its kernel tells.
  socket_.async_wait(asio::posix::descriptor_base::wait_read, guarded([this] { readable(); }));
}

void LibpqConnection::readable() {
  if (PQconsumeInput(connection_) == 0) return lose(notice_.empty() ? error_text() : notice_);
  bool complete = false;
  while (PQisBusy(connection_) == 0) {  // also takes in notices and parameter changes when nothing was asked
    if (phase_ != Phase::busy) break;
    pg_result* next = PQgetResult(connection_);
    if (next == nullptr) {
      complete = true;
      break;
    }
    const auto status = PQresultStatus(next);
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      PQclear(next);
      return lose("the server began a COPY that nobody asked for");
    }
    if (result_ != nullptr && PQresultStatus(result_) == PGRES_FATAL_ERROR) {
      PQclear(next);
      continue;
    }
    PQclear(result_);
    result_ = next;
  }
  if (PQstatus(connection_) == CONNECTION_BAD) return lose(error_text());
  wait_readable();
  if (!complete) return;
  phase_ = Phase::idle;
  // The callback may close the connection: the result must not hang on it.
  struct Clear {
    pg_result* result;
    ~Clear() { PQclear(result); }
  } const taken{std::exchange(result_, nullptr)};
  if (taken.result != nullptr && PQresultStatus(taken.result) == PGRES_TUPLES_OK) {
    client_.on_result(LibpqResult(taken.result));
  } else {
    client_.on_refused(taken.result == nullptr ? "no answer" : one_line(PQresultErrorMessage(taken.result)));
  }
}

std::string LibpqConnection::error_text() const {
  std::string text = connection_ == nullptr ? "out of memory" : one_line(PQerrorMessage(connection_));
  return text.empty() ? "connection lost" : text;
}

void LibpqConnection::lose(const std::string& why) {
  close();
  client_.on_lost(why);
}

void LibpqConnection::close() {
  ++epoch_;
  phase_ = Phase::closed;
  if (socket_.is_open()) socket_.release();  // cancels the waits; libpq closes the descriptor
  PQclear(std::exchange(result_, nullptr));
  if (connection_ != nullptr) PQfinish(std::exchange(connection_, nullptr));
  notice_.clear();
}

void LibpqConnection::set_deadline(Clock::duration time_limit) {
  deadline_ = Clock::now() + time_limit;
  if (!timer_armed_) wait_deadline();
}

// The timer is not set anew for each query: it wakes at a deadline and looks whether that was moved.
void LibpqConnection::wait_deadline() {
  timer_armed_ = true;
  timer_.expires_at(deadline_);
  timer_.async_wait(guard_.wrap([this](const boost::system::error_code&) {
    timer_armed_ = false;
    if (phase_ != Phase::connecting && phase_ != Phase::busy) return;
    if (Clock::now() < deadline_) return wait_deadline();
    lose(phase_ == Phase::connecting ? "connecting took too long" : "no answer in time");
  }));
}

}  // namespace tidemark::pools
