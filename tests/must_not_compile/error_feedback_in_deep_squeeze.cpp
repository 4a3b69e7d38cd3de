// expect: an error_feedback inside choco or deep_squeeze: both send what a message left out with the next one already; name the compressor itself
// An error that is sent twice comes back larger.
#include <span>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/deep_squeeze.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "polder/update/momentum.hpp"

using namespace polder;

struct bowl {
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const { return g[0] = x[0]; }
};

#if defined(POLDER_CORRECT)
constexpr deep_squeeze mixing{top_k{}};
#else
constexpr deep_squeeze mixing{error_feedback{top_k{}}};
#endif

double step(self<>& alone, bowl& f, std::span<const float> x0, const topology::mixing_matrix& weights) {
  worker one(algorithm{plain{}, momentum{}, mixing}, reference_backend{}, alone, weights, f, x0);
  return one.step();
}
