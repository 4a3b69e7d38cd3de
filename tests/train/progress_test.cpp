// The progress line: what it says, and that it keeps quiet where nobody looks.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "polder/train/progress.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;

/// What was written to a temporary file.
std::string content_of(std::FILE* file) {
  std::fflush(file);
  std::string content(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  content.resize(std::fread(content.data(), 1, content.size(), file));
  return content;
}

TEST_CASE("durations are written as a person would") {
  CHECK(duration_text(0.2) == "0 s");
  CHECK(duration_text(59.4) == "59 s");
  CHECK(duration_text(59.6) == "1 min 00 s");
  CHECK(duration_text(185.0) == "3 min 05 s");
  CHECK(duration_text(7620.0) == "2 h 07 min");
  CHECK(duration_text(std::numeric_limits<double>::quiet_NaN()) == "?");
  CHECK(duration_text(std::numeric_limits<double>::infinity()) == "?");
}

TEST_CASE("the time left is counted from the first step of this process") {
  const progress line("qgm", 100, 20, stderr, {.shown = false, .color = false});
  CHECK_THAT(line.line_at(40, 10.0, "loss 0.4"), Catch::Contains("qgm") && Catch::Contains("40 %  ETA 30 s  loss 0.4"));
  CHECK_THAT(line.line_at(20, 0.0, ""), Catch::Contains("20 %  ETA ?"));
  CHECK_THAT(line.line_at(100, 40.0, ""), Catch::Contains("100 %  ETA 0 s"));
}

TEST_CASE("a stream that is no terminal gets nothing") {
  std::FILE* const file = std::tmpfile();
  REQUIRE(file != nullptr);
  CHECK_FALSE(progress_style::of(file).shown);
  {
    progress line("run", 10, 0, file);
    line.update(5);
  }
  CHECK(content_of(file).empty());
  std::fclose(file);
}

TEST_CASE("drawings are rare, stay on one line, and are taken away at the end") {
  std::FILE* const file = std::tmpfile();
  REQUIRE(file != nullptr);
  {
    progress line("run", 1000, 0, file, {.shown = true, .color = true, .pause = 3600.0});
    for (std::uint64_t i = 1; i <= 1000; ++i) line.update(i);
  }
  const std::string drawn = content_of(file);
  CHECK(drawn.find('\n') == std::string::npos);
  CHECK(drawn.find("1 %") == std::string::npos);  // only the first of the thousand was drawn
  CHECK(drawn.find("0 %") != std::string::npos);
  CHECK(drawn.find("\x1b[36m") != std::string::npos);
  CHECK(drawn.substr(drawn.size() - 4) == "\r\x1b[K");
  std::fclose(file);
}

TEST_CASE("NO_COLOR is respected") {
  ::setenv("NO_COLOR", "1", 1);
  CHECK_FALSE(progress_style::of(stderr).color);
  ::setenv("NO_COLOR", "", 1);
  CHECK(progress_style::of(stderr).color);
  ::unsetenv("NO_COLOR");
  CHECK(progress_style::of(stderr).color);
}

}  // namespace
