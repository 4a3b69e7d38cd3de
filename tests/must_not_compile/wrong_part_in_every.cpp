// expect: every wraps a mixing rule: none, gossip, choco, deep_squeeze, average or pull_push
// What happens every tau steps is mixing, not a compressor.
#include <span>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/compress/sign.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "polder/update/momentum.hpp"

using namespace polder;

struct bowl {
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const { return g[0] = x[0]; }
};

#if defined(POLDER_CORRECT)
constexpr every mixing{4, gossip{}};
#else
constexpr every mixing{4, sign{}};
#endif

double step(self<>& alone, bowl& f, std::span<const float> x0, const topology::mixing_matrix& weights) {
  worker one(algorithm{plain{}, momentum{}, mixing}, reference_backend{}, alone, weights, f, x0);
  return one.step();
}
