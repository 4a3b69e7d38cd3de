#include "polder/io/npy.hpp"

#include <cmath>
#include <cstring>
#include <vector>

#include "io/support.hpp"

using namespace polder;
using io::parse_npy;
using test::fails_with;

namespace {

template <class T>
io::bytes raw(std::vector<T> numbers) {
  io::bytes content(numbers.size() * sizeof(T));
  std::memcpy(content.data(), numbers.data(), content.size());
  return content;
}

io::bytes file_of(std::string_view header, const io::bytes& numbers, unsigned char version = 1) {
  io::bytes content{0x93, 'N', 'U', 'M', 'P', 'Y', version, 0};
  const std::uint32_t length = static_cast<std::uint32_t>(header.size());
  for (unsigned i = 0; i < (version == 1 ? 2u : 4u); ++i) content.push_back(static_cast<std::uint8_t>(length >> 8 * i));
  content.insert(content.end(), header.begin(), header.end());
  content.insert(content.end(), numbers.begin(), numbers.end());
  return content;
}

io::bytes file_of(std::string_view descr, bool fortran, std::string_view shape, const io::bytes& numbers) {
  return file_of(
      text("{'descr': '", descr, "', 'fortran_order': ", fortran ? "True" : "False", ", 'shape': ", shape, ", }\n"),
      numbers);
}

bool refused(const io::bytes& content, std::string_view why) {
  return fails_with([&] { (void)parse_npy(content, "input"); }, "'input' is not a valid .npy file", why);
}

}  // namespace

TEST_CASE("numbers that were written read back, and the file is laid out as NumPy lays it out") {
  const test::temporary_folder folder;
  const std::vector<float> numbers{1, 2, 3, 4, 5, 6.5f};
  const std::vector<std::size_t> shape{2, 3};
  io::write_npy(folder / "a.npy", std::span<const float>(numbers), shape);
  const auto array = io::read_npy(folder / "a.npy");
  CHECK(array.shape == shape);
  CHECK(array.as<float>() == numbers);
  const io::bytes content = io::read_file(folder / "a.npy");
  CHECK((content.size() - raw(numbers).size()) % 64 == 0);
  CHECK(io::as_text(content).find("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, ), }") == 10);
}

TEST_CASE("every type that is read gives the same numbers") {
  const auto numbers_of = [](std::string_view descr, const io::bytes& content) {
    return parse_npy(file_of(descr, false, "(3,)", content), "x").as<double>();
  };
  const std::vector<double> expected{1, 2, 100};
  CHECK(numbers_of("<f8", raw<double>({1, 2, 100})) == expected);
  CHECK(numbers_of("<f4", raw<float>({1, 2, 100})) == expected);
  CHECK(numbers_of("<f2", raw<std::uint16_t>({0x3C00, 0x4000, 0x5640})) == expected);
  CHECK(numbers_of("<i8", raw<std::int64_t>({1, 2, 100})) == expected);
  CHECK(numbers_of("<u4", raw<std::uint32_t>({1, 2, 100})) == expected);
  CHECK(numbers_of("<i2", raw<std::int16_t>({1, 2, 100})) == expected);
  CHECK(numbers_of("|i1", raw<std::int8_t>({1, 2, 100})) == expected);
  CHECK(numbers_of("|u1", raw<std::uint8_t>({1, 2, 100})) == expected);
  CHECK(numbers_of(">i4", {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 100}) == expected);
  CHECK(numbers_of(">f4", {0x3F, 0x80, 0, 0, 0x40, 0, 0, 0, 0x42, 0xC8, 0, 0}) == expected);
  CHECK(numbers_of("|b1", {0, 1, 1}) == std::vector<double>{0, 1, 1});
}

TEST_CASE("half precision is read exactly, with its subnormal and infinite numbers") {
  const auto array =
      parse_npy(file_of("<f2", false, "(5,)", raw<std::uint16_t>({0x0001, 0x8400, 0x7BFF, 0xFC00, 0x7E00})), "x");
  const auto numbers = array.as<float>();
  CHECK(numbers[0] == 0x1p-24f);
  CHECK(numbers[1] == -0x1p-14f);
  CHECK(numbers[2] == 65504.0f);
  CHECK(numbers[3] == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(numbers[4]));
}

TEST_CASE("column-major arrays become row-major") {
  // The array a[i][j][k] = 100 i + 10 j + k of shape (2, 3, 2), first index fastest.
  std::vector<std::int32_t> columns;
  for (int k = 0; k < 2; ++k) {
    for (int j = 0; j < 3; ++j) {
      for (int i = 0; i < 2; ++i) columns.push_back(100 * i + 10 * j + k);
    }
  }
  const auto array = parse_npy(file_of("<i4", true, "(2, 3, 2)", raw(columns)), "x");
  CHECK(array.as<std::int32_t>() == std::vector<std::int32_t>{0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121});
}

TEST_CASE("newer versions and other spellings of the header are read") {
  CHECK(parse_npy(file_of("{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"|u1\"}", {7, 8}, 2), "x").size() == 2);
  CHECK(parse_npy(file_of("{'descr': '|u1', 'fortran_order': False, 'shape': (2L,)}", {7, 8}), "x").size() == 2);
  CHECK(parse_npy(file_of("|u1", false, "()", {7}), "x").as<float>() == std::vector<float>{7});
  CHECK(parse_npy(file_of("|u1", false, "(0, 5)", {}), "x").size() == 0);
}

TEST_CASE("a malformed .npy file is refused with the reason") {
  const io::bytes two{1, 2};
  CHECK(refused({}, "it is empty"));
  CHECK(refused({'P', 'K', 3, 4}, "does not begin with"));
  CHECK(refused({0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 9}, "ends inside its header"));
  CHECK(refused({0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 9, 9}, "claims 2313 bytes"));
  CHECK(refused(file_of("{}", {}, 9), "version 9"));
  CHECK(refused(file_of("|u1", false, "(3,)", two), "promises 3 bytes of numbers, found 2"));
  CHECK(refused(file_of("|u1", false, "(1,)", two), "promises 1 bytes of numbers, found 2"));
  CHECK(refused(file_of("<f8", false, "(4294967296, 4294967296)", two), "more numbers than fit"));
  CHECK(refused(file_of("|u1", false, "(99999999999999999999,)", two), "no size"));
  CHECK(refused(file_of("|u1", false, "(-2,)", two), "no size"));
  CHECK(refused(file_of("|u1", false, "(2", two), "no size"));
  CHECK(refused(file_of("|u1", false, "(2 2)", two), "expected ')'"));
  CHECK(refused(file_of("|O", false, "(2,)", two), "dtype '|O' is not read"));
  CHECK(refused(file_of("<c8", false, "(2,)", two), "dtype '<c8' is not read"));
  CHECK(refused(file_of("|f4", false, "(2,)", two), "byte order"));
  CHECK(refused(file_of("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", two), "named fields"));
  CHECK(refused(file_of("{'descr': '|u1', 'shape': (2,)}", two), "is missing"));
  CHECK(refused(file_of("{'descr': '|u1', 'descr': '|u1'}", two), "unexpected field 'descr'"));
  CHECK(refused(file_of("{'color': '|u1'}", two), "unexpected field 'color'"));
  CHECK(refused(file_of("{'descr': '|u1', 'fortran_order': 1, 'shape': (2,)}", two), "neither True nor False"));
  CHECK(refused(file_of("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} x", two), "behind the dictionary"));
}

TEST_CASE("numbers that a type cannot hold are refused, not wrapped") {
  const auto array = [](std::vector<double> numbers) {
    return parse_npy(file_of("<f8", false, text('(', numbers.size(), ",)"), raw(numbers)), "input");
  };
  CHECK(array({1, -2147483648.0}).as<std::int32_t>() == std::vector<std::int32_t>{1, -2147483647 - 1});
  for (const double bad : {0.5, 2147483648.0, -2147483649.0, std::nan(""), HUGE_VAL, 1e300}) {
    CHECK(fails_with([&] { (void)array({1, bad}).as<std::int32_t>(); }, "number 1 of 'input'"));
  }
  const auto bytes = parse_npy(file_of("|i1", false, "(1,)", {0xFF}), "input");
  CHECK(bytes.as<std::int32_t>() == std::vector<std::int32_t>{-1});
  CHECK(fails_with([&] { (void)bytes.as<std::uint8_t>(); }, "is -1"));
}
