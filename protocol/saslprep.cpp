#include "protocol/saslprep.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include <stringprep.h>

#include "protocol/scram.hpp"

namespace tidemark::protocol {

namespace {

/// The longest that NFKC makes of a character: 33 bytes of the 3 of U+FDFA.
constexpr std::size_t longest_growth = 11;

/// What the library's tables of Unicode 3.2 have wrong and Unicode 4.0 has corrected (Corrigendum 4): the
/// normal forms of five ideographs.
constexpr std::array<Stringprep_table_element, 6> corrected{{{0x2f868, 0x2f868, {0x36fc}},
                                                             {0x2f874, 0x2f874, {0x5f53}},
                                                             {0x2f91f, 0x2f91f, {0x243ab}},
                                                             {0x2f95f, 0x2f95f, {0x7aee}},
                                                             {0x2f9bf, 0x2f9bf, {0x45d7}},
                                                             {0, 0, {0}}}};

/// The library's profile in PostgreSQL's order: what is prohibited, and the direction of writing, is looked
/// for in the characters before they are normalised. RFC 3454 has it the other way round; what matters is
/// that the client, the server and we agree.
std::vector<Stringprep_profile> make_profile() {
  std::vector<Stringprep_profile> profile;
  const Stringprep_profile* step = stringprep_saslprep;
  for (; step->operation != 0; ++step) {
    if (step->operation != STRINGPREP_NFKC) profile.push_back(*step);
  }
  const auto none = static_cast<Stringprep_profile_flags>(0);
  profile.push_back({STRINGPREP_MAP_TABLE, none, corrected.data(), corrected.size() - 1});
  profile.push_back({STRINGPREP_NFKC, none, nullptr, 0});
  profile.push_back(*step);  // the end
  return profile;
}

}  // namespace

std::string saslprep(std::string_view password) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::all_of(password.begin(), password.end(), is_ascii)) return std::string(password);
  // The library takes C strings; a password of PostgreSQL holds no zero byte.
  if (password.find('\0') != std::string_view::npos) return std::string(password);

  static const std::vector<Stringprep_profile> profile = make_profile();
  std::string text(password);
  text.resize(password.size() * longest_growth + 1);
  const int outcome = stringprep(text.data(), text.size(), STRINGPREP_NO_UNASSIGNED, profile.data());
  const std::size_t size = std::min(text.find('\0'), text.size());
  std::string prepared = outcome == STRINGPREP_OK && size > 0 ? text.substr(0, size) : std::string(password);
  wipe(text);
  return prepared;
}

}  // namespace tidemark::protocol
