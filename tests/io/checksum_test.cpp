#include "polder/io/checksum.hpp"

#include <numeric>
#include <string_view>
#include <vector>

#include "polder/io/file.hpp"
#include "support/catch.hpp"

using namespace polder;

TEST_CASE("the check sum gives the known answers of XXH64") {
  CHECK(io::checksum64(io::as_bytes("")) == 0xEF46DB3751D8E999u);
  CHECK(io::checksum64(io::as_bytes("a")) == 0xD24EC4F1A98C6E5Bu);
  CHECK(io::checksum64(io::as_bytes("abc")) == 0x44BC2CF5AD770999u);
  std::vector<std::uint8_t> hundred(100);
  std::iota(hundred.begin(), hundred.end(), std::uint8_t{0});
  CHECK(io::hex64(io::checksum64(hundred)) == "6ac1e58032166597");
  CHECK(io::hex64(io::checksum64(std::span(hundred).first(32))) == "cbf59c5116ff32b4");
}

TEST_CASE("the check sum does not depend on how the bytes were cut") {
  std::vector<std::uint8_t> content(200);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::uint8_t>(i * 31);
  const std::uint64_t whole = io::checksum64(content);
  for (std::size_t cut = 0; cut <= content.size(); ++cut) {
    io::xxh64 sum;
    sum.update(std::span(content).first(cut)).update(std::span(content).subspan(cut));
    CHECK(sum.digest() == whole);
  }
}

TEST_CASE("every single bit changes the check sum") {
  std::vector<std::uint8_t> content(77, 0);
  const std::uint64_t whole = io::checksum64(content);
  for (std::uint8_t& byte : content) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      byte = static_cast<std::uint8_t>(1u << bit);
      CHECK(io::checksum64(content) != whole);
    }
    byte = 0;
  }
}
