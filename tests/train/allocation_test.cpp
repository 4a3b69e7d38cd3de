// No allocation per step in steady state.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // a sanitizer brings its own operator new

#include <cstddef>
#include <span>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/mixing/gradient_weighted.hpp"
#include "polder/mixing/leader.hpp"
#include "polder/recipes/all_reduce.hpp"
#include "polder/recipes/cga.hpp"
#include "polder/recipes/comp_cga.hpp"
#include "polder/recipes/comp_ngm.hpp"
#include "polder/recipes/comp_q_saddle.hpp"
#include "polder/recipes/ddp_sam.hpp"
#include "polder/recipes/diloco.hpp"
#include "polder/recipes/dppf.hpp"
#include "polder/recipes/easgd.hpp"
#include "polder/recipes/n_saddle.hpp"
#include "polder/recipes/ngm.hpp"
#include "polder/recipes/power_sgd.hpp"
#include "polder/recipes/q_saddle.hpp"
#include "polder/recipes/swa.hpp"
#include "polder/topology/graphs.hpp"
#include "support/allocation_watch.hpp"
#include "support/catch.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;

struct bowl {
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
    for (std::size_t i = 0; i < x.size(); ++i) g[i] = 0.1f * x[i];
    return 1.0;
  }
};

/// The same as a matrix of 50 x 90 and 500 biases.
struct matrix_bowl : bowl {
  [[nodiscard]] polder::layout layout() const {
    polder::layout tensors;
    tensors.add("weight", {50, 90});
    tensors.add("bias", {500});
    return tensors;
  }
};

/// Allocations of the whole team while every worker is past its twentieth step. Worker 0 opens and closes the watch; the
/// others are then between steps 20 and 61, where nobody may allocate.
template <class Objective = bowl, class Algorithm>
long allocations_of(const Algorithm& parts) {
  const int workers = 4;
  const std::size_t n = 5000;
  allocations = 0;
  (void)train_team(
      eigen_backend{}, parts, topology::mixing_matrix::metropolis(topology::ring(workers)),
      equal_start<float>(workers, std::vector<float>(n, 1.0f)), [](int) { return Objective{}; }, 80,
      {.lr = {.base = 0.1}},
      [](auto& one, std::uint64_t t) {
        if (one.rank() != 0) return;
        if (t == 30) watching = true;
        if (t == 60) watching = false;
      });
  return allocations;
}

TEST_CASE("steps allocate nothing in steady state") {
  CHECK(allocations_of(recipes::q_saddle()) == 0);
  CHECK(allocations_of(recipes::all_reduce()) == 0);
  CHECK(allocations_of(recipes::dppf({.tau = 3, .exact_push = true})) == 0);
  CHECK(allocations_of(recipes::easgd({.tau = 3, .server = true})) == 0);
  CHECK(allocations_of(recipes::dppf({.tau = 3}, leader{.proximal = 0.1})) == 0);
  CHECK(allocations_of(recipes::dppf({.tau = 3, .per_tensor = true}, gradient_weighted{})) == 0);
  CHECK(allocations_of(recipes::swa({.start = 2, .interval = 2, .tau = 3})) == 0);
  CHECK(allocations_of(recipes::diloco({.tau = 3})) == 0);
  CHECK(allocations_of(recipes::ddp_sam({.scope = sam_scope::all_workers})) == 0);
  CHECK(allocations_of(recipes::ngm({.data_share = 0.5})) == 0);
  CHECK(allocations_of(recipes::cga()) == 0);
  CHECK(allocations_of(recipes::n_saddle()) == 0);
  CHECK(allocations_of(recipes::comp_q_saddle(choco{qsgd{.scale = scaling::contraction}})) == 0);
  CHECK(allocations_of(recipes::comp_q_saddle(deep_squeeze{top_k{.keep = 0.1}, 0.1})) == 0);
  const choco_before_step quantized{qsgd{.scale = scaling::contraction}};
  CHECK(allocations_of(recipes::comp_ngm(quantized, error_feedback{top_k{.keep = 0.1}}, {.data_share = 0.5})) == 0);
  CHECK(allocations_of(recipes::comp_cga(quantized, error_feedback{sign{}}, {.compress_own = true})) == 0);
  CHECK(allocations_of<matrix_bowl>(recipes::power_sgd()) == 0);
}

TEST_CASE("the watch sees an allocation") {
  allocations = 0;
  watching = true;
  auto* number = new std::vector<int>(1000);
  watching = false;
  CHECK(allocations > 0);
  delete number;
}

}  // namespace

#endif
