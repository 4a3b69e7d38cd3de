#include "../bench/claims/dppf/law.hpp"

#include <cmath>

#include "support/catch.hpp"

using namespace polder_claims::dppf;

TEST_CASE("without momentum a gap shrinks as in plain gradient descent", "[valley_law]") {
  CHECK(gap_factor(0.3, 0.1, 0.0, 4) == Approx(std::pow(0.97, 4)).epsilon(1e-14));
  CHECK(width_after(0.1, 0.5, std::pow(0.97, 4)) == Approx(2.460188358614).epsilon(1e-12));
  CHECK(width_after(0.1, 0.5, gap_factor(0.0, 0.1, 0.9, 4)) == Approx(5.0).epsilon(1e-14));
}

TEST_CASE("momentum that is never reset narrows the valley", "[valley_law]") {
  // curvature 0.3 and weight decay 0.01, derived with the update's own matrix
  const double rho = gap_factor(0.31, 0.05, 0.9, 4);
  CHECK(rho == Approx(0.498810192439).epsilon(1e-11));
  CHECK(width_after(0.1, 0.5, rho) == Approx(0.907324386774).epsilon(1e-11));
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
