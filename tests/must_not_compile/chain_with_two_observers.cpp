// expect: at most one rule of a chain may observe the mixing
// Two quasi-global momenta would both claim the displacement of the mixed parameters.
#include <span>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/none.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/quasi_global_momentum.hpp"

#if defined(POLDER_CORRECT)
using first = polder::momentum;
#else
using first = polder::quasi_global_momentum;
#endif

struct bowl {
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const { return g[0] = x[0]; }
};

double step(polder::self<>& alone, bowl& f, std::span<const float> x0) {
  const auto weights = polder::topology::mixing_matrix::metropolis(polder::topology::ring(1));
  polder::worker one(
      polder::algorithm{polder::plain{}, polder::chain{first{}, polder::quasi_global_momentum{}}, polder::none{}},
      polder::reference_backend{}, alone, weights, f, x0);
  return one.step();
}
