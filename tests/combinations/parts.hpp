// The list of the parts that the tests here run in all combinations. docs/reference/combinations.md is printed from it
// and from the parts that table.cpp adds, which are run by the recipes' tests. Which part may stand inside which is
// asked of the library.
#pragma once

#include <type_traits>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/gradient/asam.hpp"
#include "polder/gradient/cross_gradients.hpp"
#include "polder/gradient/part.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/gradient/sam.hpp"
#include "polder/mixing/average.hpp"
#include "polder/mixing/choco.hpp"
#include "polder/mixing/choco_before_step.hpp"
#include "polder/mixing/deep_squeeze.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/mixing/none.hpp"
#include "polder/mixing/pull_push.hpp"
#include "polder/objective/context.hpp"
#include "polder/train/worker.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/clip_norm.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/quasi_global_momentum.hpp"
#include "polder/update/weight_decay.hpp"
#include "support/quadratics.hpp"
#include "train/any_compressor.hpp"

namespace polder::test {

template <class... Parts>
struct part_list {};
template <class... A, class... B>
constexpr part_list<A..., B...> operator+(part_list<A...>, part_list<B...>) {
  return {};
}
template <class Visit, class... Parts>
void for_each_part(part_list<Parts...>, const Visit& visit) {
  (visit(std::type_identity<Parts>{}), ...);
}

using any_context = context<reference_backend, self<>, double>;
template <class Part>
concept has_state = requires { typename state_t<Part, reference_backend, double>; };
template <class Part>
concept takes_at_a_point =
    has_state<Part> &&
    detail::point_gradient<Part, any_context, state_t<Part, reference_backend, double>, quadratics::objective>;

/// Whether a part may stand inside another.
template <template <class...> class Outer, class Part>
inline constexpr bool fits = false;
template <class Part>
inline constexpr bool fits<cross_gradients, Part> = takes_at_a_point<Part>;
template <class Part>
inline constexpr bool fits<every, Part> = detail::counts_rounds<Part> && !detail::is_every<Part>;
template <class Part>
inline constexpr bool fits<choco, Part> = compressor<Part, double> && !detail::is_error_feedback<Part>;
template <class Part>
inline constexpr bool fits<choco_before_step, Part> = fits<choco, Part>;
template <class Part>
inline constexpr bool fits<deep_squeeze, Part> = fits<choco, Part>;
template <class Part>
inline constexpr bool fits<error_feedback, Part> = compressor<Part, double>;
template <class Part>
inline constexpr bool fits<chain, Part> = detail::update_rule<Part, any_context> && !detail::is_chain<Part>;

/// Outer{part} for each part that may stand inside it.
template <template <class...> class Outer, class... Parts>
constexpr auto inside(part_list<Parts...>) {
  return (part_list<>{} + ... + std::conditional_t<fits<Outer, Parts>, part_list<Outer<Parts>>, part_list<>>{});
}

using point_gradients = part_list<plain, sam, asam>;
using crossed_gradients = decltype(inside<cross_gradients>(point_gradients{} + part_list<cross_gradients<plain>>{}));

/// Where compressors are chosen at run time, fewer types are compiled.
using polder_train::any_compressor;
using polder_train::any_feedback;
template <class... Inner>
constexpr part_list<cross_gradients<Inner, any_feedback>...> compressed(part_list<cross_gradients<Inner>...>) {
  return {};
}
using compressed_gradients = decltype(compressed(crossed_gradients{}));

/// As the recipes have them: with their values switched off, clipping and decay change nothing.
template <class... Momentum>
using rule_of = chain<clip_norm, weight_decay, Momentum...>;
using updates = part_list<rule_of<>, rule_of<momentum>, rule_of<nesterov>, rule_of<quasi_global_momentum>>;

/// With period 1, `every` is what is inside it.
using mixings = decltype(inside<every>(part_list<none, gossip, choco<any_compressor>, choco_before_step<any_compressor>,
                                                 deep_squeeze<any_compressor>, average, pull_push, every<gossip>>{}));

/// The types that are not in the lists above: parts that stand alone, and each compressor in its places.
using compressors = part_list<sign, raw, half, top_k, random_k, qsgd, error_feedback<sign>>;
template <class... Compressors>
constexpr part_list<cross_gradients<plain, Compressors>...> sent_back_by(part_list<Compressors...>) {
  return {};
}
using single_gradients = decltype(sent_back_by(compressors{}));
using single_mixings = decltype(part_list<none, gossip, average, pull_push>{} + inside<choco>(compressors{}) +
                                inside<choco_before_step>(compressors{}) + inside<deep_squeeze>(compressors{}));

}  // namespace polder::test
