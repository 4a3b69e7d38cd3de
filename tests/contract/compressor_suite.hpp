// The obligations of a compressor as tests. Each compressor runs all of them, with float and with double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "compress/support.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/core/error.hpp"
#include "support/catch.hpp"

namespace polder::contract {

using namespace polder::test;

template <class T, class K>
void sizes_and_bits(const K& k) {
  const layout tensors = awkward_layout();
  const std::vector<T> x = normal_numbers<T>(tensors.size(), 1);
  const stamp which{.seed = 5, .step = 6, .worker = 7, .edge = 8};
  const byte_vector once = packed(k, x, tensors, which);
  CHECK(once.size() <= k.template max_bytes<T>(tensors));
  if (K::fixed_size) CHECK(once.size() == k.template max_bytes<T>(tensors));
  CHECK(once == packed(k, x, tensors, which));
  CHECK(read_message_header(once).elements == x.size());
  // adding is what overwriting and adding would be
  const std::vector<T> c = unpacked<T>(k, once, tensors);
  std::vector<T> sum(x.size(), T(0));
  k.template decompress_add<T>(once, tensors, 1.0, sum);
  CHECK(sum == c);
  std::vector<T> y = normal_numbers<T>(x.size(), 2), expected = y;
  k.template decompress_add<T>(once, tensors, -0.375, y);
  for (std::size_t i = 0; i < y.size(); ++i) expected[i] = std::fma(T(-0.375), c[i], expected[i]);
  for (std::size_t i = 0; i < y.size(); ++i) {
    CHECK(static_cast<double>(std::fabs(y[i] - expected[i])) <=
          static_cast<double>(std::numeric_limits<T>::epsilon() * (std::fabs(c[i]) + std::fabs(expected[i]))));
  }
}

template <class T, class K>
void zero_and_small_tensors(const K& k) {
  const layout tensors = awkward_layout();
  const std::vector<T> zero(tensors.size(), T(0));
  CHECK(through(k, zero, tensors) == zero);
  const std::vector<T> minus_zero(tensors.size(), -T(0));
  CHECK(through(k, minus_zero, tensors) == zero);
  // one tensor of zeros beside others
  std::vector<T> x = normal_numbers<T>(tensors.size(), 3);
  const tensor_info& block = tensors.tensors()[3];
  std::fill_n(x.begin() + static_cast<std::ptrdiff_t>(block.offset), block.size(), T(0));
  const std::vector<T> c = through(k, x, tensors);
  for (std::size_t i = 0; i < block.size(); ++i) CHECK(c[block.offset + i] == T(0));
  const layout nothing;
  CHECK(through(k, std::vector<T>{}, nothing).empty());
  CHECK(through(k, std::vector<T>{}, layout(0)).empty());
  CHECK(static_cast<double>(through(k, std::vector<T>{T(2)}, layout(1))[0]) >= 0.0);
}

template <class T, class K>
void refuses_numbers_that_are_not_finite(const K& k) {
  const layout tensors = awkward_layout();
  for (const T bad :
       {std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
    for (const std::size_t tensor : {0u, 2u, 5u}) {
      const tensor_info& info = tensors.tensors()[tensor];
      std::vector<T> x = normal_numbers<T>(tensors.size(), 4);
      x[info.offset + info.size() - 1] = bad;
      const std::string said = message_of<non_finite_error>([&] { (void)packed(k, x, tensors); });
      CHECK_THAT(said, Catch::Contains("\"" + info.name + "\""));
      CHECK_THAT(said, Catch::Contains(std::to_string(info.size() - 1)));
    }
  }
}

template <class T, class K>
void refuses_sizes_that_do_not_agree(const K& k) {
  const layout tensors = awkward_layout();
  std::vector<T> x = normal_numbers<T>(tensors.size(), 4);
  auto state = k.template init<T>(tensors);
  byte_vector out(k.template max_bytes<T>(tensors) - 1);
  CHECK_THROWS_AS(k.template compress<T>(state, x, tensors, stamp{}, out), config_error);
  const byte_vector message = packed(k, x, tensors);
  x.pop_back();
  out.resize(out.size() + 1);
  CHECK_THROWS_AS(k.template compress<T>(state, x, tensors, stamp{}, out), config_error);
  CHECK_THROWS_AS(k.template decompress<T>(message, tensors, x), config_error);
  CHECK_THROWS_AS(k.template decompress_add<T>(message, tensors, 1.0, x), config_error);
}

/// Decodes bytes that may be anything, from memory of exactly their size, so that a sanitizer sees a read beyond them.
/// True if they were refused; another exception than compress_error is passed on.
template <class T, class K>
bool refused(const K& k, const byte_vector& bytes, const layout& tensors) {
  std::vector<T> y(tensors.size());
  const auto decode = [&](auto body) {
    try {
      body();
    } catch (const compress_error& e) {
      CHECK(std::string(e.what()).size() > 10);
      return true;
    }
    return false;
  };
  const bool first = decode([&] { k.template decompress<T>(bytes, tensors, y); });
  const bool second = decode([&] { k.template decompress_add<T>(bytes, tensors, 0.5, y); });
  CHECK(first == second);
  return first;
}

template <class T, class K>
void refuses_what_is_not_its_message(const K& k) {
  layout tensors;
  tensors.add("first", {2, 5});
  tensors.add("second", {131});
  const std::vector<T> x = normal_numbers<T>(tensors.size(), 5);
  const byte_vector message = packed(k, x, tensors, {.seed = 1});
  CHECK(!refused<T>(k, message, tensors));
  for (std::size_t size = 0; size < message.size(); ++size) {
    byte_vector cut(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(refused<T>(k, cut, tensors));
    reseal(cut);
    CHECK(refused<T>(k, cut, tensors));
  }
  byte_vector longer = message;
  longer.push_back(std::byte{0});
  CHECK(refused<T>(k, longer, tensors));
  reseal(longer);
  CHECK(refused<T>(k, longer, tensors));
  for (std::size_t at = 0; at < message.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      byte_vector altered = message;
      altered[at] ^= std::byte{1} << bit;
      CHECK(refused<T>(k, altered, tensors));
      // with the check sum set right: a header that says something else is refused; a payload may be valid, and is safe
      reseal(altered);
      const bool stopped = refused<T>(k, altered, tensors);
      if (at < message_header_bytes - 8) CHECK(stopped);
    }
  }
  // the payload as nothing but ones: no bits are left that could be right everywhere
  byte_vector ones = message;
  std::fill(ones.begin() + message_header_bytes, ones.end(), std::byte{0xFF});
  reseal(ones);
  CHECK(refused<T>(k, ones, tensors));
  // another model, another type
  CHECK(refused<T>(k, message, layout(tensors.size() + 1)));
  using other = std::conditional_t<std::is_same_v<T, float>, double, float>;
  CHECK(refused<other>(k, message, tensors));
}

/// All obligations, for both types.
template <class K>
void check_compressor(const K& k) {
  static_assert(compressor<K, float> && compressor<K, double>);
  const auto check = [&](auto number) {
    using T = decltype(number);
    sizes_and_bits<T>(k);
    zero_and_small_tensors<T>(k);
    refuses_numbers_that_are_not_finite<T>(k);
    refuses_sizes_that_do_not_agree<T>(k);
    refuses_what_is_not_its_message<T>(k);
  };
  check(0.0f);
  check(0.0);
}

}  // namespace polder::contract
