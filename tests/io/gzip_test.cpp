#include "polder/io/gzip.hpp"

#include "io/packed.hpp"
#include "io/support.hpp"

using namespace polder;
using test::fails_with;
using test::gzipped;
using test::sample;

TEST_CASE("a gzip stream unpacks to what was packed") {
  for (const std::size_t size : {0u, 1u, 65'535u, 65'536u, 65'537u, 1'000'000u}) {
    const io::bytes content = sample(size);
    CHECK(io::inflate_gzip(gzipped(content), "sample") == content);
    CHECK(io::inflate_gzip(gzipped(content), "sample", size) == content);
  }
}

TEST_CASE("several members in a row are one content") {
  io::bytes both = gzipped(sample(1000));
  const io::bytes second = gzipped(sample(70'000));
  both.insert(both.end(), second.begin(), second.end());
  const io::bytes content = io::inflate_gzip(both, "sample");
  REQUIRE(content.size() == 71'000);
  CHECK(io::bytes(content.begin() + 1000, content.end()) == sample(70'000));
}

TEST_CASE("a stream that unpacks to more than the limit is refused without unpacking it all") {
  const io::bytes bomb = gzipped(io::bytes(50'000'000));
  CHECK(bomb.size() < 60'000);
  CHECK(fails_with([&] { (void)io::inflate_gzip(bomb, "bomb", 1'000'000); }, "'bomb'", "more than the 1000000 bytes"));
  CHECK(fails_with([&] { (void)io::inflate_gzip(gzipped(sample(11)), "x", 10); }, "more than the 10 bytes"));
  CHECK(fails_with([&] { (void)io::inflate_gzip(gzipped(sample(1)), "x", 0); }, "more than the 0 bytes"));
}

TEST_CASE("a gzip stream cut anywhere is a data_error") {
  const io::bytes whole = gzipped(sample(300));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto cut = io::byte_view(whole).first(size);
    CHECK(fails_with([&] { (void)io::inflate_gzip(cut, "cut"); }, "'cut'"));
  }
}

TEST_CASE("any flipped bit in the check sum or the length is found") {
  const io::bytes whole = gzipped(sample(300));
  for (std::size_t i = whole.size() - 8; i < whole.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      io::bytes damaged = whole;
      damaged[i] = static_cast<std::uint8_t>(damaged[i] ^ (1u << bit));
      CHECK(fails_with([&] { (void)io::inflate_gzip(damaged, "damaged"); }, "corrupt"));
    }
  }
}

TEST_CASE("other bytes behind a stream are refused") {
  io::bytes longer = gzipped(sample(300));
  longer.push_back(0);
  CHECK(fails_with([&] { (void)io::inflate_gzip(longer, "longer"); }, "1 bytes behind the end"));
}

TEST_CASE("a file is unpacked if it is packed and read as it is if not") {
  const test::temporary_folder folder;
  io::write_file(folder / "plain", sample(500));
  io::write_file(folder / "packed", gzipped(sample(500)));
  CHECK(io::read_maybe_gzip(folder / "plain") == sample(500));
  CHECK(io::read_maybe_gzip(folder / "packed") == sample(500));
}
