// polder — the envelope of every compressed message: a header that says what it is, with length and check sum.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "polder/core/error.hpp"
#include "polder/io/checksum.hpp"

namespace polder {

/// Who wrote a message. Never renumber: the number is on the wire.
enum class codec : std::uint8_t { raw = 1, half = 2, sign = 3, top_k = 4, random_k = 5, qsgd = 6 };

[[nodiscard]] constexpr std::string_view name_of(codec which) {
  switch (which) {
    case codec::raw:
      return "raw";
    case codec::half:
      return "half";
    case codec::sign:
      return "sign";
    case codec::top_k:
      return "top_k";
    case codec::random_k:
      return "random_k";
    case codec::qsgd:
      return "qsgd";
  }
  return "an unknown compressor";
}

inline constexpr std::uint32_t message_magic = 0x434C4450u;  ///< "PDLC"
inline constexpr std::uint8_t message_version = 2;           ///< 1: random_k drew its positions in another way
inline constexpr std::size_t message_header_bytes = 40;

/// What a message says about itself. On the wire, little-endian:
///
///     0   4  magic "PDLC"
///     4   1  version
///     5   1  codec
///     6   1  bytes of a number of the vector: 4 float32, 8 float64
///     7   1  variant: the codec's named options
///     8   8  parameter: the codec's hyperparameters
///     16  8  numbers in the vector
///     24  8  bytes of the payload, which follows the header
///     32  8  XXH64 of the 32 bytes above and the payload
struct message_header {
  polder::codec codec = codec::raw;
  std::uint8_t value_bytes = 4;
  std::uint8_t variant = 0;
  std::uint64_t parameter = 0;
  std::uint64_t elements = 0;
  std::uint64_t payload = 0;
};

namespace detail {

static_assert(std::endian::native == std::endian::little, "compressed messages are little-endian");

template <class Value>
[[nodiscard]] Value load_value(const std::byte* from) {
  Value value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class Value>
void store_value(std::byte* to, Value value) {
  std::memcpy(to, &value, sizeof value);
}

[[nodiscard]] inline std::uint64_t message_checksum(std::span<const std::byte> whole) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(whole.data());
  return io::xxh64{}
      .update({bytes, message_header_bytes - 8})
      .update({bytes + message_header_bytes, whole.size() - message_header_bytes})
      .digest();
}

/// Writes the header in front of the payload that stands behind its place in `out`; returns the size of the message.
inline std::size_t seal_message(std::span<std::byte> out, const message_header& header) {
  const auto size = message_header_bytes + static_cast<std::size_t>(header.payload);
  std::byte* to = out.data();
  store_value(to, message_magic);
  store_value(to + 4, message_version);
  store_value(to + 5, header.codec);
  store_value(to + 6, header.value_bytes);
  store_value(to + 7, header.variant);
  store_value(to + 8, header.parameter);
  store_value(to + 16, header.elements);
  store_value(to + 24, header.payload);
  store_value(to + 32, message_checksum(out.first(size)));
  return size;
}

}  // namespace detail

/// The header of a message whose magic, version, length and check sum are right.
///
/// Errors: compress_error that says what is wrong.
[[nodiscard]] inline message_header read_message_header(std::span<const std::byte> bytes) {
  using detail::load_value;
  require<compress_error>(bytes.size() >= message_header_bytes, "the message is cut off: it has ", bytes.size(),
                          " bytes, its header alone has ", message_header_bytes);
  const std::byte* from = bytes.data();
  require<compress_error>(load_value<std::uint32_t>(from) == message_magic,
                          "this is no compressed message: it does not begin with PDLC");
  const auto version = load_value<std::uint8_t>(from + 4);
  require<compress_error>(version == message_version, "the message has version ", static_cast<int>(version),
                          " but this build reads version ", static_cast<int>(message_version),
                          ": build all workers from the same polder");
  message_header header;
  header.codec = static_cast<codec>(load_value<std::uint8_t>(from + 5));
  header.value_bytes = load_value<std::uint8_t>(from + 6);
  header.variant = load_value<std::uint8_t>(from + 7);
  header.parameter = load_value<std::uint64_t>(from + 8);
  header.elements = load_value<std::uint64_t>(from + 16);
  header.payload = load_value<std::uint64_t>(from + 24);
  require<compress_error>(header.payload == bytes.size() - message_header_bytes,
                          "the message is cut off or too long: its header says ", header.payload,
                          " bytes after the header, but ", bytes.size() - message_header_bytes, " arrived");
  require<compress_error>(load_value<std::uint64_t>(from + 32) == detail::message_checksum(bytes),
                          "the message was altered on its way: its check sum is wrong");
  return header;
}

/// The payload of a message that must be what `expected` says.
///
/// Errors: compress_error, as read_message_header; and where codec, options, type or sizes are not the expected ones.
[[nodiscard]] inline std::span<const std::byte> open_message(std::span<const std::byte> bytes,
                                                             const message_header& expected) {
  const message_header header = read_message_header(bytes);
  require<compress_error>(header.codec == expected.codec, "the message was written by ", name_of(header.codec), " (",
                          static_cast<int>(header.codec), ") but this worker reads ", name_of(expected.codec),
                          ": give all workers the same compressor");
  require<compress_error>(header.variant == expected.variant && header.parameter == expected.parameter,
                          name_of(expected.codec), ": the sender's settings are ", static_cast<int>(header.variant),
                          '/', header.parameter, ", this worker's ", static_cast<int>(expected.variant), '/',
                          expected.parameter, ": give all workers the same compressor");
  require<compress_error>(header.value_bytes == expected.value_bytes, name_of(expected.codec),
                          ": the sender's numbers have ", static_cast<int>(header.value_bytes),
                          " bytes, this worker's ", static_cast<int>(expected.value_bytes));
  require<compress_error>(header.elements == expected.elements, name_of(expected.codec), ": the message holds ",
                          header.elements, " numbers, this worker's layout ", expected.elements,
                          ": give all workers the same model");
  require<compress_error>(header.payload == expected.payload, name_of(expected.codec), ": the message has ",
                          header.payload, " bytes after the header where this worker's layout needs ", expected.payload,
                          ": give all workers the same model");
  return bytes.subspan(message_header_bytes);
}

}  // namespace polder
