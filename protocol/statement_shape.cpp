#include "protocol/statement_shape.hpp"

#include "protocol/bytes.hpp"

namespace tidemark::protocol {

namespace {

/// FNV-1a, 64 bits. What it compares comes from servers of one cluster: nobody chooses it to collide.
class Hash {
 public:
  void add(std::string_view bytes) {
    for (const char c : bytes) {
      value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
  }
  /// Apart from the values that mean something else.
  [[nodiscard]] std::uint64_t value() const { return value_ | 2U; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

std::uint64_t of_count(std::string_view body) {
  Hash hash;
  hash.add(body.substr(0, 2));
  return hash.value();
}

}  // namespace

std::uint64_t result_shape(std::string_view row_description, bool whole) {
  if (!whole) return of_count(row_description);
  Hash hash;
  Reader reader(row_description);
  hash.add(row_description.substr(0, 2));
  const int count = reader.int16();
  for (int i = 0; i < count; ++i) {
    const std::string_view name = reader.cstring();
    reader.bytes(4 + 2);  // table and attribute number: a table made anew has another number
    const std::string_view type = reader.bytes(4 + 2 + 4);
    reader.bytes(2);  // format
    hash.add(name);
    hash.add(type);
  }
  return failed(reader.finish()) ? of_count(row_description) : hash.value();
}

std::uint64_t parameters_shape(std::string_view parameter_description, bool whole) {
  if (!whole) return of_count(parameter_description);
  Hash hash;
  hash.add(parameter_description);
  return hash.value();
}

}  // namespace tidemark::protocol
