#include "proxy/error_mapping.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "pools/login_breaker.hpp"
#include "protocol/error_response.hpp"

namespace tidemark::proxy {
namespace {

using Kind = protocol::LoginFailureKind;

TEST(ErrorMappingTest, EveryFailureHasItsCode) {
  struct Case {
    Failure failure;
    std::string_view code;
  };
  // The codes that the documentation promises to clients; drivers decide by them whether to try again.
  const Case cases[] = {
      {Failure::no_primary, "57P03"},
      {Failure::idle_session, "57P05"},
      {Failure::idle_in_transaction, "25P03"},
      {Failure::no_node, "57P03"},
      {Failure::no_eligible_replica, "57P03"},
      {Failure::queue_timeout, "53300"},
      {Failure::too_many_clients, "53300"},
      {Failure::transaction_lost, "40001"},
      {Failure::outcome_unknown, "40003"},
      {Failure::result_lost, "40001"},
      {Failure::in_failed_transaction, "25P02"},
      {Failure::canceled, "57014"},
      {Failure::protocol_violation, "08P01"},
      {Failure::statement_too_long, "54000"},
      {Failure::unknown_statement, "26000"},
      {Failure::session_state_lost, "57P01"},
      {Failure::shutting_down, "57P01"},
      {Failure::server_confused, "08P01"},
  };
  for (const auto& [failure, code] : cases) {
    const ClientError error = describe(failure, "subject");
    EXPECT_EQ(error.code.text(), code);
    EXPECT_FALSE(error.message.empty()) << code;
    EXPECT_FALSE(describe(failure).message.empty()) << "also without a subject";
  }
}

TEST(ErrorMappingTest, TextsNameTheirSubject) {
  EXPECT_NE(describe(Failure::queue_timeout, "pool.size = 20").detail.find("pool.size = 20"),
            std::string::npos);
  EXPECT_NE(
      describe(Failure::too_many_clients, "max_client_connections").detail.find("max_client_connections"),
      std::string::npos);
  EXPECT_EQ(describe(Failure::unknown_statement, "s1").message, "prepared statement \"s1\" does not exist");
  EXPECT_EQ(describe(Failure::unknown_statement).message, "unnamed prepared statement does not exist");
  EXPECT_EQ(describe(Failure::protocol_violation, "malformed Bind").message,
            "invalid frontend message: malformed Bind");
  EXPECT_EQ(describe(Failure::protocol_violation).message, "invalid frontend message");
  EXPECT_NE(describe(Failure::session_state_lost, "LISTEN").detail.find("LISTEN"), std::string::npos);
}

protocol::LoginFailure server_error(protocol::Sqlstate code, std::string_view message) {
  protocol::LoginFailure failure;
  failure.kind = Kind::server_error;
  failure.text = "for the log";
  failure.code = code;
  protocol::append_error_response(
      failure.error_response,
      {.severity = "FATAL", .code = code, .message = message, .detail = "the detail", .hint = "the hint"});
  return failure;
}

TEST(ErrorMappingTest, AServersOwnErrorIsTold) {
  const ClientError error =
      describe(server_error(protocol::Sqlstate{"3D000"}, "database \"x\" does not exist"));
  EXPECT_EQ(error.code.text(), "3D000");
  EXPECT_EQ(error.message, "database \"x\" does not exist");
  EXPECT_EQ(error.detail, "the detail");
  EXPECT_EQ(error.hint, "the hint");
}

TEST(ErrorMappingTest, AServersErrorThatCannotBeReadIsToldInOurWords) {
  auto failure = server_error(protocol::Sqlstate{"3D000"}, "x");
  for (std::size_t size = 0; size < failure.error_response.size(); ++size) {
    auto cut = failure;
    cut.error_response.resize(size);
    const ClientError error = describe(cut);
    EXPECT_EQ(error.code.text(), "08006") << size;
    EXPECT_NE(error.message.find("for the log"), std::string::npos);
  }
}

TEST(ErrorMappingTest, OurOwnLoginFailures) {
  protocol::LoginFailure failure;
  failure.text = "it asks for a password";
  for (const Kind kind : {Kind::no_credential, Kind::unsupported_authentication}) {
    failure.kind = kind;
    EXPECT_EQ(describe(failure).code.text(), "28000");
    EXPECT_FALSE(pools::is_passing(failure)) << "trying again gives the same";
  }
  failure.kind = Kind::protocol_violation;
  EXPECT_EQ(describe(failure).code.text(), "08006");
  EXPECT_TRUE(pools::is_passing(failure)) << "connection refused, a time-out, a node that went away";
}

TEST(ErrorMappingTest, WhatPassesByItself) {
  for (const auto code : {protocol::Sqlstate{"57P03"}, protocol::Sqlstate{"57P01"},
                          protocol::Sqlstate{"53300"}, protocol::Sqlstate{"08006"}}) {
    EXPECT_TRUE(pools::is_passing(server_error(code, "x"))) << code;
  }
  for (const auto code : {protocol::Sqlstate{"3D000"}, protocol::Sqlstate{"28P01"},
                          protocol::Sqlstate{"28000"}, protocol::Sqlstate{"42501"}}) {
    EXPECT_FALSE(pools::is_passing(server_error(code, "x"))) << code;
  }
}

TEST(ErrorMappingTest, OnlyWhatIsAboutTheSessionEndsIt) {
  EXPECT_TRUE(ends_session("25P03"));
  EXPECT_TRUE(ends_session("25P04"));
  // The server's own end, a conflict of its recovery, and an idle connection, which need not be the
  // session's.
  for (const auto* code : {"57P01", "57P02", "57P03", "57P04", "57P05", "40001", "XX000"})
    EXPECT_FALSE(ends_session(code)) << code;
}

}  // namespace
}  // namespace tidemark::proxy
