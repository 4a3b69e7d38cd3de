#include "polder/compress/half.hpp"

#include <vector>

#include "compress/support.hpp"
#include "support/catch.hpp"

using namespace polder;
using namespace polder::test;

TEST_CASE("half sends 40 + 2 n bytes and keeps every number within half a unit", "[half]") {
  const layout tensors = awkward_layout();
  const auto x = normal_numbers<double>(tensors.size(), 1);
  for (const auto format : {half_format::bf16, half_format::fp16}) {
    const half k{format};
    CHECK(packed(k, x, tensors).size() == 40 + 2 * x.size());
    const double unit = format == half_format::bf16 ? 0x1p-8 : 0x1p-11;
    const auto y = through(k, x, tensors);
    for (std::size_t i = 0; i < x.size(); ++i) {
      CHECK(std::fabs(y[i] - x[i]) <= std::max(unit * std::fabs(x[i]), 0x1p-25));
    }
    CHECK(squared_distance(x, y) > 0);
    // what was rounded once stays
    CHECK(through(k, y, tensors) == y);
  }
}

TEST_CASE("half writes the published patterns to the wire", "[half]") {
  const std::vector<float> x{1.0f, -2.0f, 0.333333343f};
  const byte_vector bf16 = packed(half{}, x, layout(3));
  const byte_vector fp16 = packed(half{half_format::fp16}, x, layout(3));
  CHECK(payload_value<std::uint16_t>(bf16, 0) == 0x3F80);
  CHECK(payload_value<std::uint16_t>(bf16, 2) == 0xC000);
  CHECK(payload_value<std::uint16_t>(bf16, 4) == 0x3EAB);
  CHECK(payload_value<std::uint16_t>(fp16, 0) == 0x3C00);
  CHECK(payload_value<std::uint16_t>(fp16, 2) == 0xC000);
  CHECK(payload_value<std::uint16_t>(fp16, 4) == 0x3555);
}

TEST_CASE("a number that fp16 cannot carry is refused by its tensor's name, bf16 takes it", "[half]") {
  layout tensors;
  tensors.add("a", {2});
  tensors.add("conv1.weight", {2});
  const std::vector<float> x{1.0f, 65504.0f, 2.0f, 65520.0f};
  const std::string said = message_of<compress_error>([&] { (void)packed(half{half_format::fp16}, x, tensors); });
  CHECK_THAT(said, Catch::Contains("number 1 of tensor \"conv1.weight\" is 65520"));
  CHECK(through(half{}, x, tensors)[3] == 65536.0f);
  const std::vector<double> large{1.0, 2.0, 3.0, 1e39};
  CHECK_THROWS_AS(packed(half{}, large, tensors), compress_error);
}

TEST_CASE("half refuses halves that are not finite, and formats that do not exist", "[half]") {
  byte_vector message = packed(half{}, std::vector<float>{1.0f}, layout(1));
  set_payload(message, 0, std::uint16_t{0xFF80});
  CHECK_THROWS_AS(unpacked<float>(half{}, message, layout(1)), compress_error);
  byte_vector other = packed(half{half_format::fp16}, std::vector<float>{1.0f}, layout(1));
  set_payload(other, 0, std::uint16_t{0x7E01});
  CHECK_THROWS_AS(unpacked<float>(half{half_format::fp16}, other, layout(1)), compress_error);
  // a message of the other format is not taken for one of this
  CHECK_THROWS_AS(unpacked<float>(half{half_format::fp16}, message, layout(1)), compress_error);
  CHECK_THROWS_AS(half{static_cast<half_format>(7)}.init<float>(layout(1)), config_error);
}
