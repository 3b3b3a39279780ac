#pragma once

#include <string>
#include <string_view>

#include <absl/container/inlined_vector.h>

#include "routing/consistency.hpp"
#include "routing/routing_policy.hpp"
#include "routing/statement_relations.hpp"

namespace tidemark::routing {

/// Which level applies, and why.
struct LevelChoice {
  ConsistencyLevel level = ConsistencyLevel::session;
  StalenessBound max_staleness;       ///< of bounded_staleness, else without meaning
  const RoutingRule* rule = nullptr;  ///< of the policy; null: the default
  bool replay = false;                ///< a transaction of it may be executed again
};

/// "default" or "rule <name>", for explain.
[[nodiscard]] std::string source_of(const LevelChoice& choice);

/// The weakest choice that guarantees what both do: stronger() of their levels, of two bounds what both
/// allow. The rule is that of the one which says so alone, else of `b`.
[[nodiscard]] LevelChoice strongest(const LevelChoice& a, const LevelChoice& b);

/// The rules of a policy that can match in one session, in their order: made once per session and again when
/// the session's application_name changes. Holds pointers into the policy, which must outlive it in its
/// place. README.md, "Which level", says what the rules mean.
class SessionRules {
 public:
  SessionRules(const RoutingPolicy& policy, std::string_view database, std::string_view user,
               std::string_view application_name);

  /// Whether the choice depends on the statement. If not, choose() costs nothing, whatever text it is given.
  [[nodiscard]] bool need_text() const { return need_text_; }

  /// The choice for a text of one or more statements. Allocates only where more than eight rules are about
  /// statements or relations.
  [[nodiscard]] LevelChoice choose(std::string_view text) const;

 private:
  using Rules = absl::InlinedVector<const RoutingRule*, 8>;

  [[nodiscard]] LevelChoice choice_of(const RoutingRule* rule) const;
  [[nodiscard]] LevelChoice choose(const Rules& rules, const RelationName& relation) const;
  [[nodiscard]] LevelChoice choose_any(const Rules& rules) const;

  const RoutingPolicy* policy_;
  absl::InlinedVector<const RoutingRule*, 2> rules_;  ///< none behind one that matches every statement
  bool need_text_ = false;
};

/// Whether a rule's pattern for relations fits a name. Both without regard to case; a name without a schema
/// may be of any, since the search_path is not known here.
[[nodiscard]] bool matches_relation(std::string_view pattern, const RelationName& relation);

}  // namespace tidemark::routing
