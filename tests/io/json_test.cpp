#include "polder/io/json.hpp"

#include <cmath>
#include <limits>

#include "io/support.hpp"
#include "polder/io/json_lines.hpp"
#include "polder/io/json_parse.hpp"
#include "polder/io/utf8.hpp"

using namespace polder;
using io::json;
using io::parse_json;
using test::fails_with;

TEST_CASE("an object is written in the order of its members") {
  json value{{"epoch", 3}, {"loss", 0.25}, {"name", "QGM"}, {"done", true}, {"none", json()}};
  value["list"] = json::array_of(std::vector<int>{1, -2});
  value["epoch"] = 4;
  CHECK(value.dump() == R"({"epoch": 4, "loss": 0.25, "name": "QGM", "done": true, "none": null, "list": [1, -2]})");
}

TEST_CASE("numbers that JSON cannot write become null") {
  CHECK(json(std::nan("")).dump() == "null");
  CHECK(json(std::numeric_limits<float>::infinity()).dump() == "null");
}

TEST_CASE("numbers read back as they were") {
  for (const double number : {0.1, 1.0 / 3, 1e300, 5e-324, -0.0, 123456789.0, 2.5}) {
    const auto back = parse_json(json(number).dump(), "x").as_double();
    REQUIRE(back.has_value());
    CHECK(*back == number);
  }
  for (const float number : {0.1f, 1.0f / 3, 3.4e38f}) {
    CHECK(static_cast<float>(*parse_json(json(number).dump(), "x").as_double()) == number);
  }
  CHECK(json(0.1f).dump() == "0.1");
  constexpr std::uint64_t large = std::numeric_limits<std::uint64_t>::max();
  CHECK(parse_json(json(large).dump(), "x").as_unsigned() == large);
  constexpr std::int64_t low = std::numeric_limits<std::int64_t>::min();
  CHECK(json(low).dump() == "-9223372036854775808");
  CHECK(parse_json(json(low).dump(), "x").dump() == json(low).dump());
}

TEST_CASE("texts are escaped and read back") {
  const std::string all =
      "quote \" backslash \\ line \n tab \t bell \x07 zero \xC3\xA9 \xF0\x9F\x8C\xB7" + std::string(1, '\0');
  const json back = parse_json(json(all).dump(), "x");
  REQUIRE(back.get_if<std::string>() != nullptr);
  CHECK(*back.get_if<std::string>() == all);
  CHECK(json("\x01").dump() == "\"\\u0001\"");
  CHECK(json("a\xFF"
             "b")
            .dump() ==
        "\"a\xEF\xBF\xBD"
        "b\"");
  CHECK(*parse_json(R"("\u00e9\ud83c\udf37\/")", "x").get_if<std::string>() == "\xC3\xA9\xF0\x9F\x8C\xB7/");
}

TEST_CASE("what is not JSON is refused with the place") {
  const auto refused = [](std::string_view text, std::string_view why) {
    INFO(text);
    return fails_with([&] { (void)parse_json(text, "input"); }, "'input' is not valid JSON at byte ", why);
  };
  CHECK(refused("", "expected a value"));
  CHECK(refused("{", "expected a member's name"));
  CHECK(refused(R"({"a" 1})", "expected ':'"));
  CHECK(refused(R"({"a": 1,})", "expected a member's name"));
  CHECK(refused(R"({"a": 1, "a": 2})", "appears twice"));
  CHECK(refused("[1, ]", "expected a value"));
  CHECK(refused("[1 2]", "expected ',' or ']'"));
  CHECK(refused("01", "other text"));
  CHECK(refused("1.", "without digits"));
  CHECK(refused("1e", "exponent"));
  CHECK(refused("-", "expected a value"));
  CHECK(refused("1e999", "outside the range"));
  CHECK(refused("nul", "expected null"));
  CHECK(refused("NaN", "expected a value"));
  CHECK(refused("\"abc", "closing quote"));
  CHECK(refused("\"a\nb\"", "control character"));
  CHECK(refused(R"("\x")", "unknown escape"));
  CHECK(refused(R"("\ud800")", "surrogate"));
  CHECK(refused(R"("\u12")", "escape"));
  CHECK(refused("\"\xFF\"", "not UTF-8"));
  CHECK(refused("1 1", "other text"));
  CHECK(refused(std::string(100'000, '['), "levels"));
}

TEST_CASE("a text may not make the parser allocate without bound") {
  CHECK(fails_with([] { (void)parse_json("[1,2,3,4]", "x", {.depth = 4, .values = 4}); }, "more than 4 values"));
  CHECK(parse_json("[1,2,3]", "x", {.depth = 4, .values = 4}).dump() == "[1, 2, 3]");
}

TEST_CASE("UTF-8 is told from what only looks like it") {
  CHECK(io::utf8_length("a") == 1);
  CHECK(io::utf8_length("\xC3\xA9") == 2);
  CHECK(io::utf8_length("\xE2\x81\xB4") == 3);
  CHECK(io::utf8_length("\xF0\x9F\x8C\xB7") == 4);
  for (const char* bad : {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5", ""}) {
    CHECK(io::utf8_length(bad) == 0);
  }
}

TEST_CASE("a log holds one object a line, there before the log is closed") {
  const test::temporary_folder folder;
  io::json_lines log(folder / "run.jsonl");
  log.write({{"step", 1}});
  log.write({{"step", 2}, {"note", "two\nlines"}});
  const auto lines = io::read_json_lines(folder / "run.jsonl");
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].at("step").as_unsigned() == 2u);
  CHECK(*lines[1].at("note").get_if<std::string>() == "two\nlines");
}

TEST_CASE("appending to a log keeps it, and keeps a torn last line apart") {
  const test::temporary_folder folder;
  const std::string path = folder / "run.jsonl";
  io::write_file(path, std::string_view("{\"step\": 1}\n{\"ste"));
  {
    io::json_lines log(path, io::json_lines::mode::append);
    log.write({{"step", 2}});
  }
  CHECK(io::as_text(io::read_file(path)) == "{\"step\": 1}\n{\"ste\n{\"step\": 2}\n");
  CHECK(fails_with([&] { (void)io::read_json_lines(path); }, "run.jsonl:2"));
  io::json_lines again(path);
  CHECK(io::read_file(path).empty());
}
