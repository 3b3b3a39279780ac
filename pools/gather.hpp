#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <sys/uio.h>

#include "pools/socket.hpp"

namespace tidemark::pools {

/// Looks at what a Gather sends.
class GatherTap {
 public:
  virtual ~GatherTap() = default;
  /// The next bytes, in their order; false: they are not sent.
  virtual bool take(std::string_view bytes) = 0;
};

/// Collects what goes to one socket in one send: views of bytes that stay where they are, and small pieces of
/// our own making. One per thread, used again and again, so that it allocates nothing in the long run.
class Gather {
 public:
  /// `tap`: may be null; must outlive it.
  explicit Gather(Socket& socket, std::string& own, GatherTap* tap = nullptr)
      : socket_(socket), own_(own), tap_(tap) {
    own_.clear();
  }
  Gather(const Gather&) = delete;
  Gather& operator=(const Gather&) = delete;

  /// `bytes` must stay valid until `send`.
  void add(std::string_view bytes) {
    if (bytes.empty()) return;
    if (count_ > 0 && pieces_[count_ - 1].data != nullptr &&
        pieces_[count_ - 1].data + pieces_[count_ - 1].size == bytes.data()) {
      pieces_[count_ - 1].size += bytes.size();
      return;
    }
    push({bytes.data(), 0, bytes.size()});
  }
  /// Bytes appended to `own()` since `from` are the next piece.
  [[nodiscard]] std::string& own() { return own_; }
  void add_own(std::size_t from) {
    const std::size_t size = own_.size() - from;
    if (size == 0) return;
    if (count_ > 0 && pieces_[count_ - 1].data == nullptr &&
        pieces_[count_ - 1].offset + pieces_[count_ - 1].size == from) {
      pieces_[count_ - 1].size += size;
      return;
    }
    push({nullptr, from, size});
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  void drop() { count_ = 0; }
  /// Some of it has been given to the socket.
  [[nodiscard]] bool has_sent() const { return sent_; }

  /// False when the connection is broken; then or before.
  [[nodiscard]] bool send() {
    flush();
    return ok_;
  }

 private:
  struct Piece {
    const char* data;  ///< null: in own_, at offset
    std::size_t offset;
    std::size_t size;
  };
  void push(Piece piece) {
    if (count_ == pieces_.size()) flush();
    pieces_[count_++] = piece;
  }
  void flush() {
    if (count_ == 0) return;
    if (tap_ != nullptr && !tapped()) [[unlikely]] {
      count_ = 0;
      return;
    }
    std::array<iovec, kPieces> parts;
    for (std::size_t i = 0; i < count_; ++i) {
      const char* data = pieces_[i].data != nullptr ? pieces_[i].data : own_.data() + pieces_[i].offset;
      parts[i] = {const_cast<char*>(data), pieces_[i].size};
    }
    if (ok_) ok_ = socket_.send(parts.data(), count_);
    sent_ = true;
    count_ = 0;
  }

  /// Whether what is collected is to be sent.
  bool tapped() {
    bool send = true;
    for (std::size_t i = 0; i < count_; ++i) {
      const char* data = pieces_[i].data != nullptr ? pieces_[i].data : own_.data() + pieces_[i].offset;
      send = tap_->take({data, pieces_[i].size}) && send;
    }
    return send;
  }

  static constexpr std::size_t kPieces = 48;
  Socket& socket_;
  std::string& own_;
  GatherTap* tap_;
  std::array<Piece, kPieces> pieces_;
  std::size_t count_ = 0;
  bool ok_ = true;
  bool sent_ = false;
};

}  // namespace tidemark::pools
