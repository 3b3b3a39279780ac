// Reads of what each node has of its own: the primary's, since an application expects what the server of its
// writes says.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "routing/statement_class.hpp"

namespace tidemark::routing {
namespace {

TEST(NodeReads, AreReadsForThePrimary) {
  for (const std::string_view sql : {
           "select * from pg_stat_activity",
           "SELECT * FROM PG_STAT_ACTIVITY",
           "table pg_stat_activity",
           "select count(*) from pg_catalog.pg_stat_replication",
           "select * from \"pg_stat_database\"",
           "select * from pg_catalog.\"pg_locks\"",
           "select * from pg_statio_user_tables",
           "select * from pg_stat_statements",
           "select pg_stat_get_db_xact_commit(1)",
           "select gid from pg_prepared_xacts",
           "select mode from pg_locks l join pg_class c on c.oid = l.relation",
           "select name from pg_cursors",
           "select name from pg_prepared_statements",
           "select * from pg_sequences",
           "select slot_name from pg_replication_slots",
           "select last_value from q",
           "select q.last_value from q",
           "select last_value, is_called from public.q",
           "select Is_Called from q",
           "select \"last_value\" from q",
           "select last_value+1 from q",
           "select (select last_value from q)",
           "with w as (select * from pg_locks) select 1 from w",
           "select 1; select * from pg_locks",
           "select * from pg_locks; select 1",
           "explain select * from pg_locks",
           "copy (select * from pg_locks) to stdout",
       }) {
    const auto result = classify(sql, nullptr);
    // The functions are the catalog's to call safe.
    EXPECT_TRUE(result.statement == StatementClass::read || sql.find("get_db") != std::string_view::npos)
        << sql;
    EXPECT_TRUE(result.for_primary) << sql;
    EXPECT_NE(result.why, "") << sql;
  }
}

TEST(NodeReads, AllElseMayBeReadAnywhere) {
  for (const std::string_view sql : {
           "select last_value(a) over (order by b) from t",
           "select last_value (a) over w from t window w as (order by b)",
           "select pg_catalog.last_value(a) over (order by b) from t",
           "select max(a) as last_value from t",
           "select 'pg_stat_activity', 'last_value'",
           "select 1 -- pg_stat_activity\n",
           "select * from pg_stats",
           "select * from pg_class join pg_catalog.pg_attribute on true",
           "select * from pg_stat",
           "select * from pg_",
           "select p.is_active, user_account_id, t.last_valued from p",
           "select pg_my_locks from t",
           "select * from pg_settings",
           "select xpg_stat_activity from t",
       }) {
    const auto result = classify(sql, nullptr);
    EXPECT_EQ(to_string(result.statement), "read") << sql;
    EXPECT_FALSE(result.for_primary) << sql;
    EXPECT_EQ(result.why, "") << sql;
  }
}

TEST(NodeReads, AWriteStaysAWrite) {
  const auto result = classify("insert into t select * from pg_stat_activity", nullptr);
  EXPECT_EQ(to_string(result.statement), "write");
  EXPECT_EQ(to_string(classify("select last_value from q for update", nullptr).statement), "write");
}

TEST(NodeReads, AreFoundWithBothReadingsOfABackslash) {
  EXPECT_TRUE(classify(R"(select 'x\' , last_value from q where a like ' ')", nullptr).for_primary);
}

}  // namespace
}  // namespace tidemark::routing
