// expect: the second parameter of cross_gradients is a compressor or uncompressed
// What goes back to a neighbor is compressed by a compressor; an update rule writes no message.
#include <span>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/compress/sign.hpp"
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
constexpr algorithm parts{cross_gradients{plain{}, sign{}}, momentum{}, gossip{}};
#else
constexpr algorithm parts{cross_gradients{plain{}, momentum{}}, momentum{}, gossip{}};
#endif

double step(self<>& alone, bowl& f, std::span<const float> x0, const topology::mixing_matrix& weights) {
  worker one(parts, reference_backend{}, alone, weights, f, x0);
  return one.step();
}
