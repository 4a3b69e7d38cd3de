// The obligations of a tensor backend as tests. Each backend runs all of them, with float and with double; results are
// compared with straightforward loops on the host and, where bits are promised, with reference_backend.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/random.hpp"
#include "support/catch.hpp"

namespace polder::contract {

inline const std::vector<std::size_t> sizes{0, 1, 15, 16, 17, 127, 129, 4095, 4096, 4097, 12289};

// Element functions: named, because nvcc compiles this file as well.

template <class T>
struct momentum_step {
  T lr, beta;
  POLDER_HD void operator()(T x, T g, T& m, T& x_half) const {
    m = beta * m + g;
    x_half = x - lr * m;
  }
};
struct double_in_place {
  template <class T>
  POLDER_HD void operator()(T& x) const {
    x = x + x;
  }
};
struct two_outputs {
  template <class T>
  POLDER_HD void operator()(T x, T& same, T& negated) const {
    same = x;
    negated = -x;
  }
};
template <class T>
struct constant {
  T value;
  POLDER_HD void operator()(T& x) const { x = value; }
};
struct assign {
  template <class T>
  POLDER_HD void operator()(T y, T& x) const {
    x = y;
  }
};
/// All tags after the weighted sum: keeps y, adds y - x to m.
struct track {
  template <class T>
  POLDER_HD void operator()(T y, T x, T& m, T& next) const {
    m = m + (y - x);
    next = y;
  }
};
struct square {
  template <class T>
  POLDER_HD double operator()(T x) const {
    return static_cast<double>(x) * static_cast<double>(x);
  }
};
struct product {
  template <class T>
  POLDER_HD double operator()(T x, T y) const {
    return static_cast<double>(x) * static_cast<double>(y);
  }
};
/// Divides by a number that an earlier pass left in the backend's memory.
struct divide_by {
  const double* in_memory = nullptr;
  double divisor = 0;
  POLDER_HD divide_by resolved() const { return {nullptr, *in_memory}; }
  template <class T>
  POLDER_HD void operator()(T x, T& y) const {
    y = static_cast<T>(static_cast<double>(x) / divisor);
  }
  template <class T>
  POLDER_HD double operator()(T x) const {
    return static_cast<double>(x) / divisor;
  }
};

/// Normal numbers: every bit of the mantissa is used.
template <class T>
std::vector<T> numbers(std::size_t n, std::uint64_t seed) {
  random_stream random({.seed = seed, .purpose = purpose::test});
  std::vector<T> x(n);
  for (T& value : x) value = static_cast<T>(random.normal());
  return x;
}
/// Multiples of 1/64 below 16: sums of a few products of them are exact in float, in whatever way they are computed.
template <class T>
std::vector<T> short_numbers(std::size_t n, std::uint64_t seed) {
  random_stream random({.seed = seed, .purpose = purpose::test});
  std::vector<T> x(n);
  for (T& value : x) value = (static_cast<T>(random.below(2048)) - T{1024}) / T{64};
  return x;
}

/// A host vector's numbers in the backend's memory, `offset` numbers after an aligned address.
template <class B, class T>
struct placed {
  buffer_t<B, T> memory;
  view_t<B, T> view;
  placed(const B& b, const std::vector<T>& x, std::size_t offset = 0)
      : memory(b.template zeros<T>(x.size() + offset)), view(memory.view().part(offset, x.size())) {
    b.from_host(std::span<const T>(x), view);
  }
};
template <class B, class T>
std::vector<std::remove_const_t<T>> fetch(const B& b, view<typename B::space, T> x) {
  std::vector<std::remove_const_t<T>> numbers(x.size);
  b.to_host(x, std::span(numbers));
  return numbers;
}

template <class T>
bool same_bits(const std::vector<T>& x, const std::vector<T>& y) {
  return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0);
}
template <class T>
double largest_difference(const std::vector<T>& x, const std::vector<T>& y) {
  REQUIRE(x.size() == y.size());
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(x[i]) - static_cast<double>(y[i]));
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

/// What combine computes with the plain reference, for terms of host vectors.
template <class T>
std::vector<T> reference_combine(const std::vector<std::vector<T>>& x, const std::vector<double>& weights) {
  const reference_backend reference;
  std::vector<weighted<host_space, T>> terms;
  for (std::size_t k = 0; k < x.size(); ++k) terms.push_back({std::span<const T>(x[k]), weights[k]});
  std::vector<T> y(x.front().size());
  reference.combine(std::span<const weighted<host_space, T>>(terms), assign{}, out(host_view<T>(std::span<T>(y))));
  return y;
}
template <class B, class T>
std::vector<T> backend_combine(const B& b, const std::vector<std::vector<T>>& x, const std::vector<double>& weights,
                               std::size_t offset = 0) {
  std::vector<placed<B, T>> memory;
  for (std::size_t k = 0; k < x.size(); ++k) memory.emplace_back(b, x[k], offset * (k + 1) % 5);
  std::vector<weighted<typename B::space, T>> terms;
  for (std::size_t k = 0; k < x.size(); ++k) terms.push_back({memory[k].view, weights[k]});
  placed<B, T> y(b, std::vector<T>(x.front().size(), T{-1}), offset);
  b.combine(std::span<const weighted<typename B::space, T>>(terms), assign{}, out(y.view));
  return fetch(b, y.view);
}

template <class B, class T>
void check_memory(const B& b) {
  SECTION("buffers are zero, aligned to 64 bytes, and know their size") {
    for (const std::size_t n : sizes) {
      const auto x = b.template zeros<T>(n);
      CHECK(x.view().size == n);
      CHECK(x.size() == n);
      CHECK(reinterpret_cast<std::uintptr_t>(x.view().data) % 64 == 0);
      CHECK(same_bits(fetch(b, x.view()), std::vector<T>(n, T{0})));
    }
  }
  SECTION("a buffer keeps its memory when it is moved") {
    auto x = b.template zeros<T>(3);
    const T* const data = x.view().data;
    const auto y = std::move(x);
    CHECK(y.view().data == data);
  }
  SECTION("memory that is not to be had is an error that says how much was asked") {
    const std::size_t n = (std::size_t{1} << 50) / sizeof(T);
    std::string message;
    try {
      (void)b.template zeros<T>(n);
    } catch (const backend_error& e) {
      message = e.what();
    }
    CHECK(message.find(std::to_string(n * sizeof(T))) != std::string::npos);
    CHECK_THROWS_AS(b.template zeros<T>(std::numeric_limits<std::size_t>::max() / sizeof(T) + 2), backend_error);
  }
  SECTION("numbers travel to the memory, inside it and back unchanged") {
    for (const std::size_t n : sizes) {
      const auto x = numbers<T>(n, 1);
      const placed<B, T> a(b, x, 1);
      const placed<B, T> c(b, std::vector<T>(n, T{7}), 2);
      b.copy(a.view.as_const(), c.view);
      CHECK(same_bits(fetch(b, c.view), x));
    }
  }
  SECTION("copies between different sizes are errors that name both") {
    const placed<B, T> a(b, numbers<T>(5, 1));
    const placed<B, T> c(b, numbers<T>(6, 1));
    std::vector<T> host(4);
    CHECK_THROWS_AS(b.copy(a.view.as_const(), c.view), config_error);
    CHECK_THROWS_AS(b.to_host(a.view.as_const(), std::span<T>(host)), config_error);
    CHECK_THROWS_AS(b.from_host(std::span<const T>(host), a.view), config_error);
  }
}

template <class B, class T>
void check_map(const B& b) {
  SECTION("map passes values of in streams and references of out and inout streams") {
    for (const std::size_t n : sizes) {
      // the first two begin at multiples of 16 bytes, for backends that then move more than one number at a time
      for (const auto& [of_x, of_m, of_half] : {std::array{0u, 0u, 0u}, {4u, 8u, 12u}, {0u, 1u, 2u}, {3u, 4u, 2u}}) {
        const auto x = short_numbers<T>(n, 1), g = short_numbers<T>(n, 2), m = short_numbers<T>(n, 3);
        const placed<B, T> px(b, x, of_x), pg(b, g, 0), pm(b, m, of_m), ph(b, x, of_half);
        b.map(n, momentum_step<T>{T(0.25), T(0.5)}, in(px.view), in(pg.view), inout(pm.view), out(ph.view));
        auto expected_m = m, expected_half = x;
        for (std::size_t i = 0; i < n; ++i) {
          expected_m[i] = T(0.5) * m[i] + g[i];
          expected_half[i] = x[i] - T(0.25) * expected_m[i];
        }
        CHECK(same_bits(fetch(b, px.view), x));
        CHECK(same_bits(fetch(b, pg.view), g));
        CHECK(same_bits(fetch(b, pm.view), expected_m));
        CHECK(same_bits(fetch(b, ph.view), expected_half));
      }
    }
  }
  SECTION("map with one stream, and with two outputs") {
    const std::size_t n = 1000;
    const auto x = numbers<T>(n, 4);
    const placed<B, T> a(b, x), c(b, x), d(b, x);
    b.map(n, two_outputs{}, in(a.view), out(c.view), out(d.view));
    b.map(n, double_in_place{}, inout(a.view));
    auto doubled = x, negated = x;
    for (std::size_t i = 0; i < n; ++i) {
      doubled[i] = x[i] + x[i];
      negated[i] = -x[i];
    }
    CHECK(same_bits(fetch(b, a.view), doubled));
    CHECK(same_bits(fetch(b, c.view), x));
    CHECK(same_bits(fetch(b, d.view), negated));
    b.map(n, constant<T>{T(1.5)}, out(c.view));
    CHECK(same_bits(fetch(b, c.view), std::vector<T>(n, T(1.5))));
  }
  SECTION("map writes nothing outside its range") {
    const placed<B, T> a(b, std::vector<T>(300, T{1}));
    b.map(200, constant<T>{T{2}}, out(a.view.part(51, 200)));
    std::vector<T> expected(300, T{1});
    std::fill_n(expected.begin() + 51, 200, T{2});
    CHECK(same_bits(fetch(b, a.view), expected));
  }
  SECTION("an element reads a number that an earlier pass left in the memory") {
    const std::size_t n = 5000;
    const auto x = short_numbers<T>(n, 5);
    const placed<B, T> a(b, x), y(b, x);
    const placed<B, double> divisor(b, std::vector<double>{0.0});
    b.map(1, constant<double>{4.0}, out(divisor.view));
    b.map(n, divide_by{divisor.view.data}, in(a.view), out(y.view));
    auto expected = x;
    for (T& value : expected) value = value / T{4};
    CHECK(same_bits(fetch(b, y.view), expected));
    b.sum(n, divide_by{divisor.view.data}, divisor.view, in(a.view));
    double sum = 0;
    for (const T value : expected) sum += static_cast<double>(value);
    CHECK(fetch(b, divisor.view)[0] == sum);
  }
  SECTION("a pass over more memory than the caches hold gives the same numbers") {
    const std::size_t n = (std::size_t{14} << 20) / sizeof(T) + 77;
    const auto x = short_numbers<T>(n, 6), g = short_numbers<T>(n, 7);
    const placed<B, T> px(b, x, 1), pg(b, g, 0), pm(b, g, 2), ph(b, x, 3);
    b.map(n, momentum_step<T>{T(0.25), T(0.5)}, in(px.view), in(pg.view), inout(pm.view), out(ph.view));
    auto expected = x;
    for (std::size_t i = 0; i < n; ++i) expected[i] = x[i] - T(0.25) * (T(0.5) * g[i] + g[i]);
    CHECK(same_bits(fetch(b, ph.view), expected));
  }
}

template <class B, class T>
void check_combine(const B& b) {
  SECTION("combine adds any number of terms") {
    for (const std::size_t terms : {1u, 2u, 3u, 4u, 5u, 8u, 9u, 12u, 33u, 70u}) {
      for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{129}, std::size_t{4099}}) {
        std::vector<std::vector<T>> x;
        std::vector<double> weights;
        for (std::size_t k = 0; k < terms; ++k) {
          x.push_back(short_numbers<T>(n, k));
          weights.push_back(static_cast<double>(k % 7) / 8.0 - 0.25);
        }
        std::vector<T> expected(n);
        for (std::size_t i = 0; i < n; ++i) {
          double y = 0;
          for (std::size_t k = 0; k < terms; ++k) y += weights[k] * static_cast<double>(x[k][i]);
          expected[i] = static_cast<T>(y);
        }
        for (const std::size_t offset : {0u, 1u}) CHECK(same_bits(backend_combine(b, x, weights, offset), expected));
      }
    }
  }
  SECTION("combine has the bits of the reference for any numbers on the host, and its values on a device") {
    for (const std::size_t terms : {1u, 2u, 3u, 4u, 5u, 7u, 10u}) {
      std::vector<std::vector<T>> x;
      std::vector<double> weights;
      for (std::size_t k = 0; k < terms; ++k) {
        x.push_back(numbers<T>(1003, k));
        weights.push_back(1.0 / static_cast<double>(k + 3));
      }
      const auto y = backend_combine(b, x, weights, 3), expected = reference_combine(x, weights);
      if constexpr (std::is_same_v<typename B::space, host_space>) {
        CHECK(same_bits(y, expected));
      } else {
        CHECK(largest_difference(y, expected) <= 4.0 * static_cast<double>(std::numeric_limits<T>::epsilon()));
      }
    }
  }
  SECTION("equal vectors stay equal under weights that sum to 1") {
    const auto x = numbers<T>(777, 8);
    const std::vector<double> weights =
        std::is_same_v<T, float> ? std::vector<double>(3, 1.0 / 3.0) : std::vector<double>{0.25, 0.5, 0.25};
    CHECK(same_bits(backend_combine(b, std::vector<std::vector<T>>(3, x), weights), x));
    if constexpr (std::is_same_v<T, float>) {
      CHECK(same_bits(backend_combine(b, std::vector<std::vector<T>>(10, x), std::vector<double>(10, 0.1)), x));
    }
  }
  SECTION("combine adds the terms in their order") {
    const std::size_t n = 40;
    const std::vector<T> one(n, T{1}), huge(n, static_cast<T>(0x1p60));
    CHECK(same_bits(backend_combine(b, std::vector<std::vector<T>>{huge, huge, one}, {1.0, -1.0, 1.0}), one));
    CHECK(same_bits(backend_combine(b, std::vector<std::vector<T>>{one, huge, huge}, {1.0, 1.0, -1.0}),
                    std::vector<T>(n, T{0})));
    std::vector<std::vector<T>> many(9, std::vector<T>(n, T{0}));
    std::vector<double> weights(9, 1.0);
    many[0] = one;
    many[3] = many[8] = huge;
    weights[8] = -1.0;
    CHECK(same_bits(backend_combine(b, many, weights), std::vector<T>(n, T{0})));
    std::swap(many[0], many[3]);
    CHECK(same_bits(backend_combine(b, many, weights), std::vector<T>(n, T{0})));
    std::swap(many[3], many[8]);
    weights[3] = -1.0;
    weights[8] = 1.0;
    CHECK(same_bits(backend_combine(b, many, weights), one));
  }
  SECTION("combine hands the sum and all streams to its epilogue") {
    for (const std::size_t n : sizes) {
      const auto x = short_numbers<T>(n, 1), left = short_numbers<T>(n, 2), right = short_numbers<T>(n, 3),
                 m = short_numbers<T>(n, 4);
      auto expected_next = x, expected_m = m;
      for (std::size_t i = 0; i < n; ++i) {
        expected_next[i] = T(0.5) * x[i] + T(0.25) * left[i] + T(0.25) * right[i];
        expected_m[i] = m[i] + (expected_next[i] - x[i]);
      }
      for (const std::size_t apart : {0u, 1u}) {  // 0: all at multiples of 16 bytes
        const placed<B, T> px(b, x, apart), pl(b, left), pr(b, right, 3 * apart), pm(b, m, 2 * apart),
            next(b, m, apart);
        const std::vector<weighted<typename B::space, T>> terms{{px.view, 0.5}, {pl.view, 0.25}, {pr.view, 0.25}};
        b.combine(std::span<const weighted<typename B::space, T>>(terms), track{}, in(px.view), inout(pm.view),
                  out(next.view));
        CHECK(same_bits(fetch(b, next.view), expected_next));
        CHECK(same_bits(fetch(b, pm.view), expected_m));
        CHECK(same_bits(fetch(b, px.view), x));
      }
    }
  }
  SECTION("combine over more memory than the caches hold gives the same numbers") {
    const std::size_t n = (std::size_t{18} << 20) / sizeof(T) + 77;
    const std::vector<std::vector<T>> x{short_numbers<T>(n, 1), short_numbers<T>(n, 2)};
    CHECK(same_bits(backend_combine(b, x, {0.5, 0.25}, 1), reference_combine(x, {0.5, 0.25})));
  }
}

template <class B, class T>
void check_sum(const B& b) {
  const reference_backend reference;
  std::vector<std::size_t> lengths = sizes;
  lengths.push_back(1000003);
  SECTION("sums have the bits of the reference at every size and alignment") {
    for (const std::size_t n : lengths) {
      const auto x = numbers<T>(n, 1), y = numbers<T>(n, 2);
      double expected[2] = {-1, -1};
      reference.sum(n, square{}, host_view<double>(expected, 1), in(host_view<const T>(std::span<const T>(x))));
      reference.sum(n, product{}, host_view<double>(expected + 1, 1), in(host_view<const T>(std::span<const T>(x))),
                    in(host_view<const T>(std::span<const T>(y))));
      for (const std::size_t offset : {0u, 1u, 2u, 3u, 5u}) {
        const placed<B, T> px(b, x, offset), py(b, y, offset * 2 + 1);
        const placed<B, double> result(b, std::vector<double>{-1.0, -1.0});
        b.sum(n, square{}, result.view.part(0, 1), in(px.view));
        b.sum(n, product{}, result.view.part(1, 1), in(px.view), in(py.view));
        const auto got = fetch(b, result.view);
        CHECK(std::memcmp(got.data(), expected, sizeof expected) == 0);
      }
    }
  }
  SECTION("sums are right") {
    const std::size_t n = 10007;
    const auto x = numbers<T>(n, 3);
    long double expected = 0;
    for (const T value : x) expected += static_cast<long double>(value) * static_cast<long double>(value);
    const placed<B, T> px(b, x);
    const placed<B, double> result(b, std::vector<double>{0.0});
    b.sum(n, square{}, result.view, in(px.view));
    CHECK(fetch(b, result.view)[0] == Approx(static_cast<double>(expected)).epsilon(1e-13));
  }
  SECTION("the mean and the gaps have the bits of the reference") {
    for (const std::size_t workers : {1u, 2u, 3u, 4u, 7u, 8u, 9u, 40u}) {
      for (const std::size_t n :
           {std::size_t{0}, std::size_t{1}, std::size_t{17}, std::size_t{4097}, std::size_t{20011}}) {
        std::vector<std::vector<T>> x;
        for (std::size_t m = 0; m < workers; ++m) x.push_back(numbers<T>(n, m));
        std::vector<host_view<const T>> vectors;
        for (const auto& vector : x) vectors.push_back(std::span<const T>(vector));
        std::vector<T> mean(n);
        std::vector<double> gaps(workers, -1.0);
        reference.mean_with_gaps(std::span<const host_view<const T>>(vectors), host_view<T>(std::span<T>(mean)),
                                 host_view<double>(std::span<double>(gaps)));
        for (std::size_t m = 0; m < workers; ++m) {
          double gap = 0;
          for (std::size_t i = 0; i < n; ++i) {
            const double difference = static_cast<double>(x[m][i]) - static_cast<double>(mean[i]);
            gap += difference * difference;
          }
          CHECK(gaps[m] == Approx(gap).epsilon(1e-12));
        }

        std::vector<placed<B, T>> memory;
        for (std::size_t m = 0; m < workers; ++m) memory.emplace_back(b, x[m], m % 3);
        std::vector<view_t<B, const T>> views;
        for (const auto& vector : memory) views.push_back(vector.view);
        const placed<B, T> got_mean(b, std::vector<T>(n, T{9}), 1);
        const placed<B, double> got_gaps(b, std::vector<double>(workers, 9.0), 1);
        b.mean_with_gaps(std::span<const view_t<B, const T>>(views), got_mean.view, got_gaps.view);
        if constexpr (std::is_same_v<typename B::space, host_space>) {
          CHECK(same_bits(fetch(b, got_mean.view), mean));
          CHECK(same_bits(fetch(b, got_gaps.view), gaps));
        } else {
          CHECK(largest_difference(fetch(b, got_mean.view), mean) <=
                4.0 * static_cast<double>(std::numeric_limits<T>::epsilon()));
          const auto device_gaps = fetch(b, got_gaps.view);
          for (std::size_t m = 0; m < workers; ++m) CHECK(device_gaps[m] == Approx(gaps[m]).epsilon(1e-6));
        }
      }
    }
  }
  SECTION("the mean of equal vectors is that vector, without gaps") {
    const auto x = short_numbers<T>(5001, 1);
    const placed<B, T> px(b, x), mean(b, std::vector<T>(x.size(), T{3}));
    const placed<B, double> gaps(b, std::vector<double>(4, 3.0));
    const std::vector<view_t<B, const T>> views(4, px.view);
    b.mean_with_gaps(std::span<const view_t<B, const T>>(views), mean.view, gaps.view);
    CHECK(same_bits(fetch(b, mean.view), x));
    CHECK(same_bits(fetch(b, gaps.view), std::vector<double>(4, 0.0)));
  }
  SECTION("a mean over more memory than the caches hold has the bits of the reference") {
    const std::size_t n = (std::size_t{18} << 20) / sizeof(T) + 77;
    const auto x = short_numbers<T>(n, 1), y = short_numbers<T>(n, 2);
    std::vector<T> mean(n);
    std::vector<double> gaps(2);
    const std::vector<host_view<const T>> vectors{std::span<const T>(x), std::span<const T>(y)};
    reference.mean_with_gaps(std::span<const host_view<const T>>(vectors), host_view<T>(std::span<T>(mean)),
                             host_view<double>(std::span<double>(gaps)));
    const placed<B, T> px(b, x, 1), py(b, y), got_mean(b, std::vector<T>(n, T{9}), 3);
    const placed<B, double> got_gaps(b, std::vector<double>(2, 9.0));
    const std::vector<view_t<B, const T>> views{px.view, py.view};
    b.mean_with_gaps(std::span<const view_t<B, const T>>(views), got_mean.view, got_gaps.view);
    CHECK(same_bits(fetch(b, got_mean.view), mean));
    CHECK(same_bits(fetch(b, got_gaps.view), gaps));
  }
}

template <class B, class T>
void check_gram(const B& b) {
  for (const std::size_t count : {0u, 1u, 2u, 3u, 6u}) {
    for (const std::size_t n : {0u, 1u, 15u, 16u, 129u, 4096u, 4097u, 20011u}) {
      CAPTURE(count, n);
      std::vector<std::vector<T>> x;
      std::vector<double> expected;
      const reference_backend reference;
      for (std::size_t a = 0; a < count; ++a) {
        x.push_back(numbers<T>(n, a));
        for (std::size_t c = 0; c <= a; ++c) {
          expected.push_back(-1.0);
          reference.sum(n, product{}, host_view<double>(&expected.back(), 1),
                        in(host_view<const T>(std::span<const T>(x[a]))),
                        in(host_view<const T>(std::span<const T>(x[c]))));
          double dot = 0;
          for (std::size_t i = 0; i < n; ++i) dot += static_cast<double>(x[a][i]) * static_cast<double>(x[c][i]);
          CHECK(expected.back() == Approx(dot).epsilon(1e-12).margin(1e-10));
        }
      }
      std::vector<placed<B, T>> memory;
      for (std::size_t a = 0; a < count; ++a) memory.emplace_back(b, x[a], a % 3);
      std::vector<view_t<B, const T>> views;
      for (const auto& vector : memory) views.push_back(vector.view);
      const placed<B, double> products(b, std::vector<double>(expected.size(), 9.0));
      b.gram(std::span<const view_t<B, const T>>(views), products.view);
      CHECK(same_bits(fetch(b, products.view), expected));
    }
  }
}

/// The obligations of a matrix backend.
template <class B, class T>
void check_gemm(const B& b) {
  struct extents {
    std::size_t m, n, k;
  };
  const std::vector<extents> all{{1, 1, 1},  {3, 5, 7},  {1, 40, 30},   {40, 1, 30}, {33, 1, 1}, {17, 31, 64},
                                 {4, 6, 10}, {6, 4, 11}, {64, 48, 100}, {5, 4, 0},   {0, 4, 5}};
  const T tolerance = std::numeric_limits<T>::epsilon() * T{64};
  const T untouched = T{77};
  for (const auto& [m, n, k] : all) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        for (const T beta : {T{0}, T{1}, T(-0.5)}) {
          const std::size_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 5;
          const auto a = numbers<T>((ta ? k : m) * lda + 1, 1), c = numbers<T>((tb ? n : k) * ldb + 1, 2);
          auto first = numbers<T>(m * ldc + 1, 3);
          for (std::size_t i = 0; i < first.size(); ++i) {
            if (i == 0 || (i - 1) % ldc >= n) first[i] = untouched;
          }
          std::vector<T> expected = first, product = first;
          const T alpha = T(1.25);
          for (std::size_t i = 0; i < m; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
              double dot = 0;
              for (std::size_t l = 0; l < k; ++l) {
                dot += static_cast<double>(a[1 + (ta ? l * lda + i : i * lda + l)]) *
                       static_cast<double>(c[1 + (tb ? j * ldb + l : l * ldb + j)]);
              }
              T& to = expected[1 + i * ldc + j];
              to = static_cast<T>(static_cast<double>(alpha) * dot + static_cast<double>(beta * to));
              if (beta == T{0}) product[1 + i * ldc + j] = std::numeric_limits<T>::quiet_NaN();
            }
          }
          const placed<B, T> left(b, a), right(b, c);
          const auto multiplied = [&] {
            const placed<B, T> to(b, product);
            b.gemm(ta ? transpose::yes : transpose::no, tb ? transpose::yes : transpose::no, m, n, k, alpha,
                   static_cast<const T*>(left.view.data) + 1, lda, static_cast<const T*>(right.view.data) + 1, ldb,
                   beta, to.view.data + 1, ldc);
            return fetch(b, to.view);
          };
          const std::vector<T> found = multiplied();
          CAPTURE(m, n, k, ta, tb, beta);
          CHECK(largest_difference(found, expected) <=
                static_cast<double>(tolerance) * std::sqrt(1.0 + static_cast<double>(k)));
          CHECK(same_bits(multiplied(), found));
        }
      }
    }
  }
}

/// Numbers that come to the host later: each is what was there when it was sent, in whatever order they are asked for.
template <class B>
void check_late_numbers(const B& b) {
  const std::size_t count = 5;
  auto sources = b.template zeros<double>(1);
  auto late = b.late_numbers(count);
  for (std::size_t round = 0; round < 3; ++round) {
    const auto number = [&](std::size_t k) { return static_cast<double>(10 * round + k) + 0.25; };
    for (std::size_t k = 0; k < count; ++k) {
      const double now = number(k);
      b.from_host(std::span<const double>(&now, 1), sources.view());
      late.send(k, sources.view().as_const());
    }
    for (const std::size_t k : {std::size_t{3}, std::size_t{0}, std::size_t{4}}) CHECK(late.get(k) == number(k));
    CHECK(late.get(3) == number(3));
  }
}

/// All obligations of a tensor backend.
template <class B, class T>
void check_backend(const B& b) {
  static_assert(tensor_backend<B>);
  check_memory<B, T>(b);
  check_map<B, T>(b);
  check_combine<B, T>(b);
  check_sum<B, T>(b);
  if constexpr (late_backend<B>) {
    SECTION("late numbers arrive") { check_late_numbers(b); }
  }
  SECTION("all dot products of a few vectors have the bits of the reference") { check_gram<B, T>(b); }
}

}  // namespace polder::contract
