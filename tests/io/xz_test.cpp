#include "polder/io/xz.hpp"

#include <algorithm>
#include <array>
#include <iostream>

#include "io/packed.hpp"
#include "io/support.hpp"

using namespace polder;
using test::fails_with;
using test::sample;

TEST_CASE("a program without liblzma says what an xz stream needs") {
  CHECK(fails_with([] { io::detail::fail_without_lzma("images.xz"); }, "'images.xz' is an xz stream",
                   "built without liblzma", "xz -d", "liblzma-dev"));
  CHECK(fails_with([] { (void)io::unpack_xz(io::as_bytes("\x1F\x8B no xz"), "x"); }, "'x' is not an xz stream"));
}

#if defined(POLDER_HAVE_LZMA)

namespace {

/// Packed as `xz` does it, or behind a delta filter, which the cut-down decoders do not know.
io::bytes packed(io::byte_view content, std::uint32_t delta = 0) {
  lzma_options_lzma lzma2;
  REQUIRE_FALSE(lzma_lzma_preset(&lzma2, 6));
  lzma_options_delta distance{};
  distance.type = LZMA_DELTA_TYPE_BYTE;
  distance.dist = delta;
  lzma_filter filters[3] = {{LZMA_FILTER_DELTA, &distance}, {LZMA_FILTER_LZMA2, &lzma2}, {LZMA_VLI_UNKNOWN, nullptr}};
  io::bytes result(lzma_stream_buffer_bound(content.size()) + 64);
  std::size_t size = 0;
  REQUIRE(lzma_stream_buffer_encode(delta == 0 ? filters + 1 : filters, LZMA_CHECK_CRC64, nullptr, content.data(),
                                    content.size(), result.data(), &size, result.size()) == LZMA_OK);
  result.resize(size);
  return result;
}

}  // namespace

TEST_CASE("an xz stream unpacks to what was packed") {
  for (const std::size_t size : {0u, 1u, 65'535u, 65'536u, 65'537u, 1'000'000u}) {
    const io::bytes content = sample(size);
    CHECK(io::unpack_xz(packed(content), "sample") == content);
    CHECK(io::unpack_xz(packed(content), "sample", size) == content);
  }
  CHECK(io::unpack_xz(packed(sample(70'000), 32), "delta") == sample(70'000));
}

TEST_CASE("several xz streams with zeros between and behind them are one content") {
  io::bytes both = packed(sample(1000));
  const io::bytes second = packed(sample(70'000));
  both.insert(both.end(), 8, 0);
  both.insert(both.end(), second.begin(), second.end());
  both.insert(both.end(), 4, 0);
  const io::bytes content = io::unpack_xz(both, "sample");
  REQUIRE(content.size() == 71'000);
  CHECK(io::bytes(content.begin() + 1000, content.end()) == sample(70'000));
}

TEST_CASE("an xz stream that unpacks to more than the limit is refused without unpacking it all") {
  const io::bytes bomb = packed(io::bytes(50'000'000));
  CHECK(bomb.size() < 60'000);
  CHECK(fails_with([&] { (void)io::unpack_xz(bomb, "bomb", 1'000'000); }, "'bomb'", "more than the 1000000 bytes"));
  CHECK(fails_with([&] { (void)io::unpack_xz(packed(sample(11)), "x", 10); }, "more than the 10 bytes"));
  CHECK(fails_with([&] { (void)io::unpack_xz(packed(sample(1)), "x", 0); }, "more than the 0 bytes"));
}

TEST_CASE("an xz stream that wants much memory is refused before it is given") {
  // The dictionary's size in the block's header (filter 0x21 with one byte of properties) to the greatest there is.
  io::bytes greedy = packed(sample(300));
  const std::size_t header = 12;
  const std::size_t size = 4 * (greedy[header] + std::size_t{1});
  const auto end = greedy.begin() + static_cast<std::ptrdiff_t>(header + size - 4);
  const std::array<std::uint8_t, 2> filter{0x21, 1};
  const auto found = std::search(greedy.begin() + header + 2, end, filter.begin(), filter.end());
  REQUIRE(found != end);
  *(found + 2) = 40;
  const std::uint32_t sum = lzma_crc32(greedy.data() + header, size - 4, 0);
  for (unsigned i = 0; i < 4; ++i) *(end + i) = static_cast<std::uint8_t>(sum >> (8 * i));
  CHECK(fails_with([&] { (void)io::unpack_xz(greedy, "greedy"); }, "'greedy' wants more than the 128 MiB"));
}

TEST_CASE("an xz stream cut anywhere is a data_error") {
  const io::bytes whole = packed(sample(300));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto cut = io::byte_view(whole).first(size);
    CHECK(fails_with([&] { (void)io::unpack_xz(cut, "cut"); }, "'cut'",
                     size < 6 ? "is not an xz stream" : "truncated xz stream"));
  }
}

TEST_CASE("any flipped bit of an xz stream is found") {
  const io::bytes whole = packed(sample(300));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      io::bytes damaged = whole;
      damaged[i] = static_cast<std::uint8_t>(damaged[i] ^ (1u << bit));
      CHECK(fails_with([&] { (void)io::unpack_xz(damaged, "damaged"); }, "'damaged'"));
    }
  }
}

TEST_CASE("other bytes behind an xz stream are refused") {
  io::bytes longer = packed(sample(300));
  longer.push_back(0);
  CHECK(fails_with([&] { (void)io::unpack_xz(longer, "longer"); }, "1 bytes behind the end"));
  longer.back() = 7;
  CHECK(fails_with([&] { (void)io::unpack_xz(longer, "longer"); }, "1 bytes behind the end"));
}

#else

TEST_CASE("xz streams are unpacked") { std::cout << "skipped: built without liblzma, so no xz stream is read\n"; }

#endif
