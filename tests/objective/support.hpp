// What the tests of this folder share: gradients checked against central differences, refusals checked by their words.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/random.hpp"

namespace polder::test {

inline std::vector<double> normal_numbers(std::size_t n, std::uint64_t stream) {
  random_stream random({stream, purpose::test});
  std::vector<double> numbers(n);
  for (double& number : numbers) number = random.normal();
  return numbers;
}

/// Whether `run` throws an `Error` whose message contains `words`.
template <class Error = config_error, class Run>
bool refuses(Run run, std::string_view words) {
  try {
    run();
  } catch (const Error& error) {
    return std::string(error.what()).find(words) != std::string::npos;
  }
  return false;
}

/// The greatest |g_i - (f(x + h e_i) - f(x - h e_i)) / 2h|, relative to max(1, |g_i|).
template <class F>
double gradient_error(const F& f, std::vector<double> x) {
  std::vector<double> g(x.size());
  std::vector<double> scrap(x.size());
  f.loss_and_gradient(std::span<const double>(x), std::span<double>(g));
  double worst = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double here = x[i];
    const double h = 1e-5;
    x[i] = here + h;
    const double above = f.loss_and_gradient(std::span<const double>(x), std::span<double>(scrap));
    x[i] = here - h;
    const double below = f.loss_and_gradient(std::span<const double>(x), std::span<double>(scrap));
    x[i] = here;
    worst = std::max(worst, std::abs(g[i] - (above - below) / (2 * h)) / std::max(1.0, std::abs(g[i])));
  }
  return worst;
}

}  // namespace polder::test
