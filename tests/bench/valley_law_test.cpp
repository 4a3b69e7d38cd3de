#include "../bench/claims/dppf/law.hpp"

#include <cmath>
#include <cstdint>

#include "support/catch.hpp"

using namespace polder_claims::dppf;

/// By what a round and a communication that multiplies gaps by c make gaps and velocities grow in the long run, from
/// repeating them: the largest modulus of an eigenvalue.
double growth(double c, double h, double eta, double beta, std::uint64_t tau) {
  double x = 0.6, v = 0.8;
  double logarithm = 0.0;
  constexpr int rounds = 40000;
  for (int round = 0; round < rounds; ++round) {
    for (std::uint64_t step = 0; step < tau; ++step) {
      v = beta * v + h * x;
      x -= eta * (h * x + beta * v);
    }
    x *= c;
    const double size = std::hypot(x, v);
    logarithm += std::log(size);
    x /= size;
    v /= size;
  }
  return std::exp(logarithm / rounds);
}

TEST_CASE("without momentum a gap shrinks as in plain gradient descent", "[valley_law]") {
  CHECK(gap_factor(0.3, 0.1, 0.0, 4) == Approx(std::pow(0.97, 4)).epsilon(1e-14));
  CHECK(width_after(0.1, 0.5, std::pow(0.97, 4)) == Approx(2.460188358614).epsilon(1e-12));
  CHECK(width_after(0.1, 0.5, gap_factor(0.0, 0.1, 0.9, 4)) == Approx(5.0).epsilon(1e-14));
}

TEST_CASE("momentum that is never reset narrows the valley", "[valley_law]") {
  // Gaps turn, and the determinant of a round counts: beta (1 - eta h) for each of its steps.
  const double turning = gap_factor(0.31, 0.05, 0.9, 4);
  CHECK(turning == Approx(std::pow(0.9 * (1.0 - 0.05 * 0.31), 4)).epsilon(1e-13));
  // With little momentum nothing turns.
  const double kept = gap_factor(0.31, 0.05, 0.2, 4);
  CHECK(kept > std::pow(0.2 * (1.0 - 0.05 * 0.31), 4));
}

TEST_CASE("rho is the inverse of the smallest factor of a communication at which gaps no longer shrink",
          "[valley_law]") {
  for (const double h : {-0.2, 0.0, 0.05, 0.31, 1.0, 5.0, 12.0}) {
    for (const double beta : {0.0, 0.2, 0.5, 0.9}) {
      for (const std::uint64_t tau : {1, 4, 7}) {
        CAPTURE(h, beta, tau);
        const double c = 1.0 / gap_factor(h, 0.05, beta, tau);
        CHECK(growth(0.999 * c, h, 0.05, beta, tau) < 1.0);
        CHECK(growth(1.001 * c, h, 0.05, beta, tau) > 1.0);
        CHECK(growth(c, h, 0.05, beta, tau) == Approx(1.0).epsilon(1e-4));
      }
    }
  }
}

TEST_CASE("noise widens the valley, and the run without push tells how much there is", "[valley_law]") {
  // 4000 coordinates of deviation 0.02, two workers: S = f_M n s^2 with f_M = 1/2
  const double noise = 0.5 * 4000 * 0.02 * 0.02;
  const double rho = 0.9;
  const double quiet = (1.0 - 0.1) * std::sqrt(noise / (1.0 - 0.81 * rho * rho));
  CHECK(noise_of(0.1, rho, quiet) == Approx(noise).epsilon(1e-12));
  CHECK(width_with_noise(0.1, 0.0, rho, noise) == Approx(quiet).epsilon(1e-12));
  CHECK(width_with_noise(0.1, 0.5, rho, 0.0) == Approx(width_after(0.1, 0.5, rho)).epsilon(1e-12));
  // r_before^2 = rho^2 r^2 + S
  const double wide = width_with_noise(0.1, 0.5, rho, noise);
  const double before = (wide - 0.5) / 0.9;
  CHECK(before * before == Approx(rho * rho * wide * wide + noise).epsilon(1e-12));
}
