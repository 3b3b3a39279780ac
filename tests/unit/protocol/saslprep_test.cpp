#include "protocol/saslprep.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "protocol/scram.hpp"

namespace tidemark::protocol {
namespace {

using namespace std::string_literals;

TEST(Saslprep, TheExamplesOfRfc4013) {
  EXPECT_EQ(saslprep("I\u00adX"), "IX") << "soft hyphen vanishes";
  EXPECT_EQ(saslprep("user"), "user");
  EXPECT_EQ(saslprep("USER"), "USER") << "case is kept";
  EXPECT_EQ(saslprep("\u00aa"), "a") << "NFKC";
  EXPECT_EQ(saslprep("\u2168"), "IX");
  EXPECT_EQ(saslprep("\u0627\u0031"), "\u0627\u0031") << "prohibited (bidirectional): the bytes as they are";
}

TEST(Saslprep, AsciiIsLeftAlone) {
  std::string all;
  for (char c = 1; c < 127; ++c) all.push_back(c);
  EXPECT_EQ(saslprep(all), all) << "control characters too, as PostgreSQL does";
  EXPECT_EQ(saslprep(""), "");
}

TEST(Saslprep, SpacesAndComposition) {
  EXPECT_EQ(saslprep("a\u00a0b\u3000c"), "a b c");
  EXPECT_EQ(saslprep("e\u0301"), "\u00e9");
  EXPECT_EQ(saslprep("\u00bd"), "1\u20442");
}

TEST(Saslprep, WherePostgresDiffersFromRfc3454) {
  EXPECT_EQ(saslprep("\u0341"), "\u0341") << "prohibited; its normal form would not be";
  EXPECT_EQ(saslprep("\ufc5b"), "\u0630\u0670") << "runs from right to left; its normal form ends otherwise";
  EXPECT_EQ(saslprep("\U0002f874"), "\u5f53") << "Corrigendum 4 of Unicode";
}

TEST(Saslprep, LongTextsGrowAsFarAsTheyHaveTo) {
  std::string text;
  std::string prepared;
  for (int i = 0; i < 200; ++i) {
    text += "\ufdfa";
    prepared +=
        "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645";
  }
  EXPECT_EQ(saslprep(text), prepared);
}

TEST(Saslprep, WhatFailsKeepsItsBytes) {
  for (const std::string& text :
       {"\xff\u00aa"s, "\xc3"s, "\xc0\x80\u00aa"s, "\xed\xa0\x80\u00aa"s, "\xf4\x90\x80\x80"s,
        "\u00ad"s,            // nothing is left of it
        "\x07\u00aa"s,        // a control character beside others than ASCII
        "\U0001f600\u00aa"s,  // unassigned in Unicode 3.2
        "\ufffd\u00aa"s, "\ue000\u00aa"s, "\u0627a\u0627"s, "\u00aa\0x"s}) {
    EXPECT_EQ(saslprep(text), text) << testing::PrintToString(text);
  }
}

// Verifiers of PostgreSQL 15: create role … password '…' in a UTF-8 database.
TEST(Saslprep, VerifiersOfPostgresMatch) {
  const auto matches = [](std::string_view text, std::string_view password) {
    const auto verifier = parse_scram_verifier(text);
    return verifier && make_verifier(password, verifier->salt, verifier->iterations) == *verifier;
  };
  EXPECT_TRUE(
      matches("SCRAM-SHA-256$4096:5p5TP9vVOXcttzv6tMNS7g==$t"
              "C0Sx3UpV9HSQVXgrEdlEqq/QjhwtE6OO1JtGs3Xd4A=:i5RuCB3UX36VRxofImpVs1C2GEIf6FyG5BJ5mW01UtU=",
              "pa\u00a0ss\u00ad"));
  EXPECT_TRUE(
      matches("SCRAM-SHA-256$4096:qlisqFhnJ0KM8lgIGk/+9w==$D"
              "M6upTiyjp0RHNx8Miz0YRuPMjgdHVe/mqOFbXUWAZU=:y5KIu/wFU+1KvuhRYooqzYfG3QUQ+CikpiMnZbK/zgM=",
              "\u2168e\u0301\u00df"));
  EXPECT_TRUE(
      matches("SCRAM-SHA-256$4096:zIEAYGruYwB7F/nAfAzA9g==$Z"
              "/L6BB2q2ydHsBFZFd77VVoTCtCHM0PfIgzlv6u122I=:BzlExguWabdoRxA0JhspZBS9i7L7/YQwMBvxNkI5KqA=",
              "\x07\u00aa"));
  EXPECT_TRUE(
      matches("SCRAM-SHA-256$4096:2831z1mJ0Rc+qnh6cEVzYg==$V"
              "luo1bmiifYMljITZsaKKhP8Ge0LcfbWnB9tWZfip78=:e5xKPVYtCP4R/884oFHAbeFeCwfIo3EX793NfdgCqgk=",
              "\U0001f600\u00aa"));
}

}  // namespace
}  // namespace tidemark::protocol
