// expect: the first parameter of choco is a compressor: qsgd, sign, top_k
// A message is made by a compressor; a gossip sends the numbers themselves.
#include <span>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/compress/sign.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/choco.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "polder/update/momentum.hpp"

using namespace polder;

struct bowl {
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const { return g[0] = x[0]; }
};

#if defined(POLDER_CORRECT)
constexpr choco mixing{sign{}};
#else
constexpr choco mixing{gossip{}};
#endif

double step(self<>& alone, bowl& f, std::span<const float> x0, const topology::mixing_matrix& weights) {
  worker one(algorithm{plain{}, momentum{}, mixing}, reference_backend{}, alone, weights, f, x0);
  return one.step();
}
