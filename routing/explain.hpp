#pragma once

#include <string>
#include <string_view>

#include "routing/cluster_view.hpp"
#include "routing/routing_policy.hpp"
#include "routing/session_context.hpp"
#include "routing/statement_class.hpp"

namespace tidemark::routing {

/// The decision that decide() takes with the same arguments, told to people: the statement's class and why,
/// the level (in the caller's words: it knows where that comes from), what is required, the decision with its
/// reason, and one line per node with what speaks for or against it. Lines end with '\n'. Pure, allocates:
/// not for the path of a statement.
[[nodiscard]] std::string explain(const RoutingPolicy& policy, const ClusterView& view,
                                  const SessionContext& session, const StatementContext& statement,
                                  const Classification& classification, std::string_view level,
                                  TimePoint now);

}  // namespace tidemark::routing
