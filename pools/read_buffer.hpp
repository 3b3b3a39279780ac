#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

namespace tidemark::pools {

/// Blocks of one size for the read buffers of one thread: an idle client holds none.
class BlockPool {
 public:
  static constexpr std::size_t kBlockSize = 8 * 1024;
  [[nodiscard]] std::unique_ptr<char[]> take() {
    if (free_.empty()) return std::unique_ptr<char[]>(new char[kBlockSize]);
    auto block = std::move(free_.back());
    free_.pop_back();
    return block;
  }
  void give(std::unique_ptr<char[]> block) {
    if (free_.size() < kKept) free_.push_back(std::move(block));
  }

 private:
  static constexpr std::size_t kKept = 1024;
  std::vector<std::unique_ptr<char[]>> free_;
};

/// Bytes received and not yet consumed. Holds memory only while it holds bytes. One thread.
class ReadBuffer {
 public:
  explicit ReadBuffer(BlockPool& pool) : pool_(pool) {}
  ~ReadBuffer() { give_back(); }
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;

  [[nodiscard]] std::string_view view() const { return {block_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }

  /// Room for at least one byte behind the content; grows by doubling. Invalidates views.
  struct Room {
    char* data;
    std::size_t size;
  };
  [[nodiscard]] Room prepare() {
    if (!block_) {
      block_ = pool_.take();
      capacity_ = BlockPool::kBlockSize;
    }
    if (end_ == capacity_) {
      if (begin_ >= capacity_ / 2) {
        std::memmove(block_.get(), block_.get() + begin_, size());
        end_ -= begin_;
        begin_ = 0;
      } else {
        grow(2 * capacity_);
      }
    }
    return {block_.get() + end_, capacity_ - end_};
  }
  void commit(std::size_t bytes) { end_ += bytes; }
  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const Room room = prepare();
      const std::size_t part = bytes.size() < room.size ? bytes.size() : room.size;
      std::memcpy(room.data, bytes.data(), part);
      commit(part);
      bytes.remove_prefix(part);
    }
  }
  void consume(std::size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_) give_back();
  }
  void clear() { give_back(); }

 private:
  void grow(std::size_t capacity) {
    std::unique_ptr<char[]> larger(new char[capacity]);
    std::memcpy(larger.get(), block_.get() + begin_, size());
    if (capacity_ == BlockPool::kBlockSize) pool_.give(std::move(block_));
    block_ = std::move(larger);
    capacity_ = capacity;
    end_ -= begin_;
    begin_ = 0;
  }
  void give_back() {
    if (block_ && capacity_ == BlockPool::kBlockSize) {
      pool_.give(std::move(block_));
    } else {
      block_.reset();
    }
    capacity_ = begin_ = end_ = 0;
  }

  BlockPool& pool_;
  std::unique_ptr<char[]> block_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace tidemark::pools
