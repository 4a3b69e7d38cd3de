// expect: an objective needs `?loss_and_gradient
// An objective that only knows its loss cannot be trained.
#include <span>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/none.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "polder/update/momentum.hpp"

struct bowl {
#if defined(POLDER_CORRECT)
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const { return g[0] = x[0]; }
#else
  double loss(std::span<const float> x) const { return x[0]; }
#endif
};

double step(polder::self<>& alone, bowl& f, std::span<const float> x0) {
  const auto weights = polder::topology::mixing_matrix::metropolis(polder::topology::ring(1));
  polder::worker one(polder::algorithm{polder::plain{}, polder::momentum{}, polder::none{}},
                     polder::reference_backend{}, alone, weights, f, x0);
  return one.step();
}
