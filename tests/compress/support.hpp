// What the tests of the compressors share: messages as vectors of bytes, layouts, inputs, and messages sealed again.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "polder/compress/compressor.hpp"
#include "polder/compress/message.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/random.hpp"

namespace polder::test {

using byte_vector = std::vector<std::byte>;

template <class T, class K>
byte_vector packed(const K& k, compressor_state_t<K, T>& state, const std::vector<T>& x, const layout& tensors,
                   const stamp& which = {}) {
  // rubbish before, so that no byte of the message depends on it
  byte_vector out(k.template max_bytes<T>(tensors), std::byte{0xA5});
  out.resize(k.template compress<T>(state, x, tensors, which, out));
  return out;
}
template <class T, class K>
byte_vector packed(const K& k, const std::vector<T>& x, const layout& tensors, const stamp& which = {}) {
  auto state = k.template init<T>(tensors);
  return packed(k, state, x, tensors, which);
}
template <class T, class K>
std::vector<T> unpacked(const K& k, const byte_vector& bytes, const layout& tensors) {
  std::vector<T> y(tensors.size(), T(77));
  k.template decompress<T>(bytes, tensors, y);
  return y;
}
/// C(x).
template <class T, class K>
std::vector<T> through(const K& k, const std::vector<T>& x, const layout& tensors, const stamp& which = {}) {
  return unpacked<T>(k, packed(k, x, tensors, which), tensors);
}

/// Tensors of all the sizes at which a loop could go wrong, one of them empty.
inline layout awkward_layout() {
  layout tensors;
  tensors.add("one", {1});
  tensors.add("none", {0, 3});
  tensors.add("seven", {7});
  tensors.add("block", {16, 8});
  tensors.add("more", {3, 43});
  tensors.add("many", {4099});
  return tensors;
}

template <class T>
std::vector<T> normal_numbers(std::size_t n, std::uint64_t seed) {
  random_stream random({.seed = seed, .purpose = purpose::test});
  std::vector<T> x(n);
  for (T& value : x) value = static_cast<T>(random.normal());
  return x;
}

template <class T>
double squared_norm(const std::vector<T>& x) {
  double sum = 0;
  for (const T value : x) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}
template <class T>
double squared_distance(const std::vector<T>& x, const std::vector<T>& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double gap = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    sum += gap * gap;
  }
  return sum;
}

/// Sets the check sum right after the bytes of a message were changed: what an attacker would do.
inline void reseal(byte_vector& message) {
  if (message.size() < message_header_bytes) return;
  const std::uint64_t sum = detail::message_checksum(message);
  std::memcpy(message.data() + message_header_bytes - 8, &sum, 8);
}

/// A byte of the payload.
inline unsigned payload_at(const byte_vector& message, std::size_t at) {
  return std::to_integer<unsigned>(message.at(message_header_bytes + at));
}
template <class Value>
Value payload_value(const byte_vector& message, std::size_t at) {
  Value value;
  std::memcpy(&value, message.data() + message_header_bytes + at, sizeof value);
  return value;
}
template <class Value>
void set_payload(byte_vector& message, std::size_t at, Value value) {
  std::memcpy(message.data() + message_header_bytes + at, &value, sizeof value);
  reseal(message);
}

/// What an exception of type Error says, or "" if none was thrown.
template <class Error, class Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace polder::test
