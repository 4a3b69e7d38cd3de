// expect: cross_gradients wraps a rule that takes the gradient at a point
// Cross-gradients talk to the neighbors of one worker; at a neighbor's point there is nobody to talk to.
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
constexpr cross_gradients<plain> gradient{};
#else
constexpr cross_gradients<cross_gradients<plain>> gradient{};
#endif

double step(self<>& alone, bowl& f, std::span<const float> x0, const topology::mixing_matrix& weights) {
  worker one(algorithm{gradient, momentum{}, gossip{}}, reference_backend{}, alone, weights, f, x0);
  return one.step();
}
