// expect: cross_gradients wraps a rule that takes the gradient at a point
// What a neighbor published is a point at which a gradient is taken; an update rule takes none.
#include <span>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/gradient/cross_gradients.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "polder/update/momentum.hpp"

using namespace polder;

struct bowl {
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const { return g[0] = x[0]; }
};

#if defined(POLDER_CORRECT)
constexpr algorithm parts{cross_gradients{plain{}}, momentum{}, gossip{}};
#else
constexpr algorithm parts{cross_gradients{momentum{}}, momentum{}, gossip{}};
#endif

double step(self<>& alone, bowl& f, std::span<const float> x0, const topology::mixing_matrix& weights) {
  worker one(parts, reference_backend{}, alone, weights, f, x0);
  return one.step();
}
