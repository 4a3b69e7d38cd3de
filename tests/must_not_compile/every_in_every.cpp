// expect: an every inside an every: a round has one length, so write one of them with that period
// Whose steps would the inner period count?
#include <span>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
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
constexpr every mixing{6, gossip{}};
#else
constexpr every<every<gossip>> mixing{2, {3, gossip{}}};
#endif

double step(self<>& alone, bowl& f, std::span<const float> x0, const topology::mixing_matrix& weights) {
  worker one(algorithm{plain{}, momentum{}, mixing}, reference_backend{}, alone, weights, f, x0);
  return one.step();
}
