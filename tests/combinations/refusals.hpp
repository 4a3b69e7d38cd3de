// Why parts do not go together: the compiler's sentences, and those of the worker asked for by trying.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "combinations/parts.hpp"
#include "combinations/uses.hpp"
#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/core/error.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/train/worker.hpp"
#include "support/quadratics.hpp"

namespace polder::test {

/// A sentence with which the compiler refuses parts, and the cases of tests/must_not_compile that show it.
struct compile_time_refusal {
  std::string_view sentence;
  std::vector<std::string_view> cases;
};

namespace refused {
inline const compile_time_refusal as_gradient{"the first part of an algorithm takes the gradient",
                                              {"wrong_part_for_gradient"}};
inline const compile_time_refusal as_update{"the second part of an algorithm makes the update",
                                            {"wrong_part_for_update"}};
inline const compile_time_refusal as_mixing{"the third part of an algorithm mixes", {"wrong_part_for_mixing"}};
inline const compile_time_refusal in_cross_gradients{
    "cross_gradients wraps a rule that takes the gradient at a point",
    {"wrong_part_in_cross_gradients", "cross_gradients_in_cross_gradients"}};
inline const compile_time_refusal in_chain{"a chain is a row of update rules", {"wrong_part_in_chain"}};
inline const compile_time_refusal chain_in_chain{"a chain inside a chain: write all rules in one row",
                                                 {"chain_in_a_chain"}};
inline const compile_time_refusal two_observers{"at most one rule of a chain may observe the mixing",
                                                {"chain_with_two_observers"}};
inline const compile_time_refusal in_every{"every wraps a mixing rule", {"wrong_part_in_every"}};
inline const compile_time_refusal every_in_every{
    "an every inside an every: a round has one length, so write one of them with that period", {"every_in_every"}};
inline const compile_time_refusal back_in_cross_gradients{
    "the second parameter of cross_gradients is a compressor or uncompressed", {"wrong_compressor_in_cross_gradients"}};
inline const compile_time_refusal in_choco{"the first parameter of choco is a compressor", {"wrong_part_in_choco"}};
inline const compile_time_refusal in_choco_before_step{"the first parameter of choco_before_step is a compressor",
                                                       {"wrong_part_in_choco_before_step"}};
inline const compile_time_refusal in_deep_squeeze{"the first parameter of deep_squeeze is a compressor",
                                                  {"wrong_part_in_deep_squeeze"}};
inline const compile_time_refusal feedback_in_loop{
    "an error_feedback inside choco, choco_before_step or deep_squeeze: they send what a message left out with the "
    "next "
    "one already; name the compressor itself",
    {"error_feedback_in_choco", "error_feedback_in_choco_before_step", "error_feedback_in_deep_squeeze"}};
inline const compile_time_refusal in_error_feedback{"error_feedback wraps a compressor",
                                                    {"wrong_part_in_error_feedback"}};
}  // namespace refused

/// In the order of the table's footnotes.
inline std::vector<const compile_time_refusal*> compile_time_refusals() {
  return {&refused::as_gradient,
          &refused::as_update,
          &refused::as_mixing,
          &refused::in_cross_gradients,
          &refused::back_in_cross_gradients,
          &refused::in_chain,
          &refused::chain_in_chain,
          &refused::two_observers,
          &refused::in_every,
          &refused::every_in_every,
          &refused::in_choco,
          &refused::in_choco_before_step,
          &refused::in_deep_squeeze,
          &refused::feedback_in_loop,
          &refused::in_error_feedback};
}

/// A rule of each kind: how cross-gradients take a gradient, and what a loop has for a compressor, changes nothing here.
using kinds_of_gradient =
    decltype(point_gradients{} + part_list<cross_gradients<plain>, cross_gradients<plain, any_feedback>>{});
using kinds_of_mixing = decltype(inside<every>(
    part_list<none, gossip, choco<sign>, choco_before_step<sign>, deep_squeeze<sign>, average, pull_push>{}));

/// What a gradient rule says of its own values; empty if they go together.
template <class Gradient>
std::string rule_refuses(const Gradient& gradient) {
  try {
    (void)gradient.template init<double>(reference_backend{}, three_tensors());
  } catch (const config_error& e) {
    return e.what();
  }
  return {};
}
/// What a worker says of a gradient rule and a mixing rule with their values in its first step; empty if it makes one.
template <class Gradient, class Mixing>
std::string worker_refuses(const Gradient& gradient, const Mixing& mixing) {
  const quadratics q(1, 3, 7);
  const auto alone = topology::mixing_matrix::metropolis(topology::ring(1));
  const std::vector<double> x0(3, 1.0);
  self<> comm;
  auto f = q.of(0);
  try {
    worker one(algorithm{gradient, momentum{}, mixing}, reference_backend{}, comm, alone, f,
               std::span<const double>(x0));
    one.step();
  } catch (const config_error& e) {
    return e.what();
  }
  return {};
}

}  // namespace polder::test
