#pragma once

#include <cstdint>
#ifdef TIDEMARK_MUTATIONS
#include <array>
#include <string_view>
#endif

namespace tidemark::routing {

/// Ways to break a rule of README.md on purpose: tests/consistency shows that each of them is noticed. They
/// exist in test builds only (CMake option TIDEMARK_MUTATIONS), where the environment names one; elsewhere
/// mutated() is a constant.
enum class Mutation : std::uint8_t {
  none,
  page_header_kept,        ///< rule 1: an insert position behind a page header is taken as it is
  write_position,          ///< rule 1: the written instead of the inserted position
  flush_assumed,           ///< rule 1: every commit is taken to have been flushed
  asked_before_the_reply,  ///< rule 2: a question asked before the write's end bounds the write
  position_after_restart,  ///< rule 3: a position outlives the server that had it
  sent_before_the_wait,    ///< rule 4: a read is sent to a replica that lacks its floor
  floor_forgotten,         ///< rule 5: moving to another replica carries no floor
  primary_reads_unseen,    ///< rule 5: what the primary answered is not seen
  strong_without_asking,   ///< rule 6: the last known position instead of one asked after the arrival
  sample_age_ignored,      ///< rule 6: a replica without lag when it was last asked is fresh for ever
  raised_after_the_reply,  ///< rule 7: the mark is raised when the reply has left
  marks_unshared,          ///< rule 7: each connection has marks of its own, whatever its user
  token_ignored,           ///< rule 7: a token is taken, and requires nothing
  unknown_is_clean,        ///< rule 7: a user who is not known has no marks
  doubt_is_fine,           ///< rule 8: a pending floor is none
  timeline_ignored,        ///< rule 9: positions compare by their LSN alone
  loss_untold,             ///< rule 9: a lost write is not told
  visibility_ignored,      ///< rule 11: the primary is taken to show what replicas show
  count,
};

#ifdef TIDEMARK_MUTATIONS
inline constexpr std::array<std::string_view, static_cast<std::size_t>(Mutation::count)> kMutationNames{
    "none",
    "page_header_kept",
    "write_position",
    "flush_assumed",
    "asked_before_the_reply",
    "position_after_restart",
    "sent_before_the_wait",
    "floor_forgotten",
    "primary_reads_unseen",
    "strong_without_asking",
    "sample_age_ignored",
    "raised_after_the_reply",
    "marks_unshared",
    "token_ignored",
    "unknown_is_clean",
    "doubt_is_fine",
    "timeline_ignored",
    "loss_untold",
    "visibility_ignored",
};
/// Set once, before any thread is started.
inline Mutation active_mutation = Mutation::none;
[[nodiscard]] inline bool mutated(Mutation which) {
  return active_mutation == which;
}
#else
[[nodiscard]] constexpr bool mutated(Mutation) {
  return false;
}
#endif

}  // namespace tidemark::routing
