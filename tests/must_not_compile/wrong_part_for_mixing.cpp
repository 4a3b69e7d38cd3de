// expect: the third part of an algorithm mixes
// The words of an algorithm have an order.
#include <span>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/mixing/none.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "polder/update/momentum.hpp"

using namespace polder;

struct bowl {
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const { return g[0] = x[0]; }
};

#if defined(POLDER_CORRECT)
constexpr algorithm parts{plain{}, momentum{}, gossip{}};
#else
constexpr algorithm parts{plain{}, momentum{}, momentum{}};
#endif

double step(self<>& alone, bowl& f, std::span<const float> x0, const topology::mixing_matrix& weights) {
  worker one(parts, reference_backend{}, alone, weights, f, x0);
  return one.step();
}
