// expect: deleted
// A worker refers to its mixing matrix, which must outlive it.
#include <span>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/recipes/d_psgd.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"

using namespace polder;

struct bowl {
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const { return g[0] = x[0]; }
};

double step(self<>& alone, bowl& f, std::span<const float> x0) {
#if defined(POLDER_CORRECT)
  const auto weights = topology::mixing_matrix::usual(topology::ring(1));
  worker one(recipes::d_psgd(), reference_backend{}, alone, weights, f, x0);
#else
  worker one(recipes::d_psgd(), reference_backend{}, alone, topology::mixing_matrix::usual(topology::ring(1)), f, x0);
#endif
  return one.step();
}
