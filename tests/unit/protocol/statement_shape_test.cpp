#include "protocol/statement_shape.hpp"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/bytes.hpp"

namespace tidemark::protocol {
namespace {

struct Column {
  std::string name;
  std::int32_t type = 23;
  std::int32_t modifier = -1;
  std::int32_t table = 0;
  std::int16_t format = 0;
};

std::string description(const std::vector<Column>& columns) {
  std::string out;
  Writer writer(out);
  writer.int16(static_cast<std::int16_t>(columns.size()));
  for (const auto& column : columns) {
    writer.cstring(column.name).int32(column.table).int16(1).int32(column.type).int16(4);
    writer.int32(column.modifier).int16(column.format);
  }
  return out;
}

std::uint64_t shape(const std::vector<Column>& columns) {
  return result_shape(description(columns), true);
}

TEST(StatementShapeTest, TellsNamesTypesModifiersAndCountsApart) {
  std::set<std::uint64_t> shapes;
  const std::vector<std::vector<Column>> all{
      {}, {{"a"}}, {{"b"}}, {{"a"}, {"b"}}, {{"b"}, {"a"}}, {{"a", 25}}, {{"a", 23, 8}}, {{"ab"}}, {{""}},
  };
  for (const auto& columns : all) {
    const auto value = shape(columns);
    EXPECT_TRUE((StatementShape{value, 0}.has_rows()));
    EXPECT_TRUE(shapes.insert(value).second);
    EXPECT_EQ(value, shape(columns));
  }
}

TEST(StatementShapeTest, FormatsAndOriginsDoNotMatter) {
  EXPECT_EQ(shape({{"a", 23, -1, 16384, 0}}), shape({{"a", 23, -1, 16999, 1}}));
}

TEST(StatementShapeTest, WhatIsCutOffAnywhereHasTheShapeOfItsCount) {
  const std::string body = description({{"a"}, {"b", 25, 8}});
  const auto of_count = result_shape(body.substr(0, 2), false);
  EXPECT_NE(of_count, result_shape(body, true));
  for (std::size_t size = 2; size < body.size(); ++size) {
    EXPECT_EQ(result_shape(body.substr(0, size), true), of_count);
    EXPECT_EQ(result_shape(body.substr(0, size), false), of_count);
  }
  EXPECT_EQ(result_shape(body + "x", true), of_count);
  for (const auto& bad : {std::string{}, std::string(1, '\0'), std::string("\xff\xff", 2)})
    EXPECT_GT(result_shape(bad, true), StatementShape::no_rows);
}

TEST(StatementShapeTest, ParametersAreComparedByTheirTypes) {
  const std::string one("\0\1\0\0\0\x17", 6);
  const std::string other("\0\1\0\0\0\x19", 6);
  EXPECT_NE(parameters_shape(one, true), parameters_shape(other, true));
  EXPECT_EQ(parameters_shape(one, true), parameters_shape(one, true));
  EXPECT_EQ(parameters_shape(one, false), parameters_shape(other, false));
  EXPECT_NE(parameters_shape(one, true), 0U);
}

TEST(StatementShapeTest, WhatIsNotKnownIsNeitherCoveredNorContradicted) {
  const StatementShape full{5, 6};
  const StatementShape portal{5, 0};
  const StatementShape unknown{};
  EXPECT_TRUE(full.covers(full) && full.covers(portal) && portal.covers(portal));
  EXPECT_FALSE(portal.covers(full) || unknown.covers(full) || unknown.covers(portal));
  EXPECT_FALSE(full.contradicts(portal) || portal.contradicts(full) || unknown.contradicts(full));
  EXPECT_TRUE((full.contradicts({7, 6}) && full.contradicts({5, 7}) && portal.contradicts({7, 6})));
  StatementShape learning;
  learning.learn(full);
  EXPECT_EQ(learning, full);
  learning.learn({7, 0});
  EXPECT_EQ(learning, (StatementShape{7, 6}));
}

TEST(StatementShapeTest, NothingIsKnownAtFirst) {
  EXPECT_FALSE(StatementShape{}.is_known());
  EXPECT_FALSE(StatementShape{}.has_rows());
  EXPECT_TRUE((StatementShape{StatementShape::no_rows, 0}.is_known()));
  EXPECT_FALSE((StatementShape{StatementShape::no_rows, 0}.has_rows()));
}

}  // namespace
}  // namespace tidemark::protocol
