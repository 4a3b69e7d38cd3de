#include "polder/compress/message.hpp"

#include <array>
#include <cstring>
#include <string>

#include "compress/support.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/raw.hpp"
#include "support/catch.hpp"

using namespace polder;
using namespace polder::test;

namespace {

std::string refusal(const byte_vector& message, const layout& tensors) {
  return message_of<compress_error>([&] { (void)unpacked<float>(raw{}, message, tensors); });
}
byte_vector with(byte_vector message, std::size_t at, unsigned value) {
  message[at] = static_cast<std::byte>(value);
  reseal(message);
  return message;
}

}  // namespace

TEST_CASE("a message is its header, byte for byte, and the payload", "[message]") {
  layout tensors;
  tensors.add("x", {2});
  const byte_vector message = packed(raw{}, std::vector<float>{1.0f, -2.0f}, tensors);
  const std::array<unsigned, 32> header{'P', 'D', 'L', 'C', 2, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                        2,   0,   0,   0,   0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0};
  const std::array<unsigned, 8> payload{0x00, 0x00, 0x80, 0x3F, 0x00, 0x00, 0x00, 0xC0};
  REQUIRE(message.size() == 48);
  for (std::size_t i = 0; i < header.size(); ++i) CHECK(std::to_integer<unsigned>(message[i]) == header[i]);
  for (std::size_t i = 0; i < payload.size(); ++i) CHECK(payload_at(message, i) == payload[i]);
  // the check sum is that of the file format's XXH64 over header and payload
  std::array<std::uint8_t, 40> hashed{};
  std::memcpy(hashed.data(), message.data(), 32);
  std::memcpy(hashed.data() + 32, message.data() + 40, 8);
  std::uint64_t sum = 0;
  std::memcpy(&sum, message.data() + 32, 8);
  CHECK(sum == io::xxh64{}.update(hashed).digest());
}

TEST_CASE("the codecs keep their numbers and names", "[message]") {
  CHECK(static_cast<int>(codec::raw) == 1);
  CHECK(static_cast<int>(codec::half) == 2);
  CHECK(static_cast<int>(codec::sign) == 3);
  CHECK(static_cast<int>(codec::top_k) == 4);
  CHECK(static_cast<int>(codec::random_k) == 5);
  CHECK(static_cast<int>(codec::qsgd) == 6);
  CHECK(name_of(codec::qsgd) == "qsgd");
  CHECK(name_of(static_cast<codec>(99)) == "an unknown compressor");
}

TEST_CASE("a refused message is told what is wrong with it", "[message]") {
  layout tensors;
  tensors.add("x", {2});
  const byte_vector message = packed(raw{}, std::vector<float>{1.0f, -2.0f}, tensors);
  CHECK(refusal(message, tensors) == "");
  CHECK_THAT(refusal({}, tensors), Catch::Contains("cut off: it has 0 bytes"));
  CHECK_THAT(refusal(byte_vector(message.begin(), message.begin() + 39), tensors), Catch::Contains("39 bytes"));
  CHECK_THAT(refusal(byte_vector(message.begin(), message.end() - 1), tensors),
             Catch::Contains("says 8 bytes after the header, but 7 arrived"));
  CHECK_THAT(refusal(with(message, 0, 'X'), tensors), Catch::Contains("does not begin with PDLC"));
  CHECK_THAT(refusal(with(message, 4, 1), tensors), Catch::Contains("version 1 but this build reads version 2"));
  CHECK_THAT(refusal(with(message, 5, 6), tensors), Catch::Contains("written by qsgd (6) but this worker reads raw"));
  CHECK_THAT(refusal(with(message, 5, 200), tensors), Catch::Contains("an unknown compressor (200)"));
  CHECK_THAT(refusal(with(message, 6, 8), tensors), Catch::Contains("numbers have 8 bytes, this worker's 4"));
  CHECK_THAT(refusal(with(message, 7, 1), tensors), Catch::Contains("settings"));
  CHECK_THAT(refusal(with(message, 16, 3), tensors), Catch::Contains("holds 3 numbers, this worker's layout 2"));
  CHECK_THAT(refusal(with(message, 31, 0xFF), tensors), Catch::Contains("but 8 arrived"));
  byte_vector altered = message;
  altered[47] ^= std::byte{1};
  CHECK_THAT(refusal(altered, tensors), Catch::Contains("check sum is wrong"));
  const std::string other = message_of<compress_error>([&] { (void)unpacked<float>(half{}, message, tensors); });
  CHECK_THAT(other, Catch::Contains("written by raw (1) but this worker reads half"));
}

TEST_CASE("numbers that are not finite in a sealed message are refused by the tensor's name", "[message]") {
  layout tensors;
  tensors.add("conv", {3});
  byte_vector message = packed(raw{}, std::vector<float>{1.0f, 2.0f, 3.0f}, tensors);
  set_payload(message, 4, std::numeric_limits<float>::infinity());
  CHECK_THAT(refusal(message, tensors), Catch::Contains("\"conv\""));
}
