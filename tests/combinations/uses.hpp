// The values with which the parts are run, and what the formulas need to know of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "combinations/formulas.hpp"
#include "combinations/parts.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"

namespace polder::test {

/// What all run on: three tensors, of which ASAM takes two for weights. Each has more numbers than a worker has neighbors,
/// so that the rows of CGA's programs can be told apart.
inline layout three_tensors() {
  layout tensors;
  tensors.add("in.weight", {2, 4});
  tensors.add("in.bias", {4});
  tensors.add("out.weight", {6});
  return tensors;
}
inline constexpr std::size_t numbers = 18;
inline tensor_table three_tensors_table() {
  tensor_table table{{8, 12, 18}, std::vector<bool>(numbers, true)};
  for (std::size_t k = 8; k < 12; ++k) table.adaptive[k] = false;
  return table;
}

/// A part as it is run: how one writes it, its value, and what the formulas need to know.
template <class Part, class Formula>
struct use {
  std::string name;
  Part part;
  Formula formula;
};
template <class Part, class Formula>
using uses = std::vector<use<Part, Formula>>;

inline uses<plain, gradient_formula> uses_of(std::type_identity<plain>) { return {{"plain", {}, {}}}; }
inline uses<sam, gradient_formula> uses_of(std::type_identity<sam>) {
  return {{"sam", {.rho = 0.3}, {.at = point::sam, .rho = 0.3}}};
}
inline uses<asam, gradient_formula> uses_of(std::type_identity<asam>) {
  return {{"asam", {.rho = 0.3, .eta = 0.1}, {.at = point::asam, .rho = 0.3, .eta = 0.1}}};
}
/// How one writes the part, its value, and what `inner` says of its own formula.
template <class Inner, class C>
use<cross_gradients<Inner, C>, gradient_formula> crossed_use(const std::string& written,
                                                             cross_gradients<Inner, C> part) {
  const use<Inner, gradient_formula> inner = uses_of(std::type_identity<Inner>{}).front();
  gradient_formula f = inner.formula;
  f.crossed = true;
  f.data_share = part.data_share;
  f.program = part.by == cross_aggregate::quadratic_program;
  f.own_at_mixed = part.own == self_point::mixed;
  f.plain_cross = part.plain_cross;
  f.compress_own = part.compress_own;
  part.inner = inner.part;
  return {"cross_gradients{" + inner.name + written + "}", part, f};
}
template <class Inner>
uses<cross_gradients<Inner>, gradient_formula> uses_of(std::type_identity<cross_gradients<Inner>>) {
  using part = cross_gradients<Inner>;
  uses<part, gradient_formula> all{crossed_use("", part{}),
                                   crossed_use(", .own = mixed", part{.own = self_point::mixed})};
  if constexpr (std::is_same_v<Inner, plain>) {
    all.push_back(crossed_use(", .data_share = 0", part{.data_share = 0.0}));
    all.push_back(crossed_use(", .data_share = 0.3", part{.data_share = 0.3}));
    all.push_back(crossed_use(", .by = quadratic_program", part{.by = cross_aggregate::quadratic_program}));
  } else {
    all.push_back(crossed_use(", .plain_cross = true", part{.plain_cross = true}));
  }
  return all;
}

template <class... Momentum>
uses<rule_of<Momentum...>, update_formula> update_use(const char* name, const update_formula& f,
                                                      const Momentum&... momentum) {
  return {{name, {clip_norm{f.most}, weight_decay{f.decay}, momentum...}, f}};
}
/// `f` has the values of clipping and decay.
inline auto uses_of(std::type_identity<rule_of<>>, const update_formula& f) { return update_use("chain{}", f); }
inline auto uses_of(std::type_identity<rule_of<momentum>>, update_formula f) {
  f.form = momentum_form::heavy_ball;
  f.beta = 0.8;
  return update_use("momentum", f, momentum{f.beta});
}
inline auto uses_of(std::type_identity<rule_of<nesterov>>, update_formula f) {
  f.form = momentum_form::nesterov;
  f.beta = 0.8;
  return update_use("nesterov", f, nesterov{f.beta});
}
inline auto uses_of(std::type_identity<rule_of<quasi_global_momentum>>, update_formula f) {
  f.form = momentum_form::quasi_global_nesterov;
  f.beta = 0.8;
  f.mu = 0.7;
  auto all = update_use("quasi_global_momentum", f, quasi_global_momentum{f.beta, f.mu});
  f.form = momentum_form::quasi_global;
  auto heavy_ball =
      update_use("quasi_global_momentum{.nesterov = false}", f, quasi_global_momentum{f.beta, f.mu, false});
  all.push_back(heavy_ball.front());
  return all;
}

/// Rules that stand alone, not in a chain.
inline uses<momentum, update_formula> uses_of(std::type_identity<momentum>, const update_formula&) {
  return {{"momentum", {0.8}, {.form = momentum_form::heavy_ball, .beta = 0.8}}};
}
inline uses<quasi_global_momentum, update_formula> uses_of(std::type_identity<quasi_global_momentum>,
                                                           const update_formula&) {
  return {
      {"quasi_global_momentum", {0.8, 0.7}, {.form = momentum_form::quasi_global_nesterov, .beta = 0.8, .mu = 0.7}}};
}

template <class K>
struct compressor_use {
  std::string name;
  K compressor;
};
inline std::vector<compressor_use<raw>> uses_of(std::type_identity<raw>) { return {{"raw", {}}}; }
inline std::vector<compressor_use<half>> uses_of(std::type_identity<half>) { return {{"half", {}}}; }
inline std::vector<compressor_use<sign>> uses_of(std::type_identity<sign>) { return {{"sign", {}}}; }
inline std::vector<compressor_use<top_k>> uses_of(std::type_identity<top_k>) { return {{"top_k", {0.5}}}; }
inline std::vector<compressor_use<random_k>> uses_of(std::type_identity<random_k>) {
  return {{"random_k", {.keep = 0.5}}, {"random_k{.scale = unbiased}", {.keep = 0.5, .scale = scaling::unbiased}}};
}
inline std::vector<compressor_use<qsgd>> uses_of(std::type_identity<qsgd>) {
  return {{"qsgd{.scale = contraction}", {.bits = 4, .scale = scaling::contraction}}, {"qsgd", {.bits = 4}}};
}
inline std::vector<compressor_use<error_feedback<sign>>> uses_of(std::type_identity<error_feedback<sign>>) {
  return {{"error_feedback{…}", {}}};
}
inline std::vector<compressor_use<any_compressor>> uses_of(std::type_identity<any_compressor>) {
  std::vector<compressor_use<any_compressor>> all;
  for_each_part(compressors{}, [&]<class K>(std::type_identity<K> type) {
    if constexpr (fits<choco, K>) {
      for (const auto& [name, k] : uses_of(type)) all.push_back({name, {k}});
    }
  });
  return all;
}
/// Why the loop does not take the compressor with these values; empty if it does.
template <class K>
std::string refusal_of(const K& k, const char* loop) {
  try {
    detail::require_for_loop(k, loop);
  } catch (const config_error& e) {
    return e.what();
  }
  return {};
}
inline std::string refusal_of(const any_compressor& k, const char* loop) {
  return std::visit([&](const auto& chosen) { return refusal_of(chosen, loop); }, k.chosen);
}
template <class K>
stamped_codec codec_of(const K& k) {
  return [k](const std::vector<double>& v, const message_place& at) {
    const layout tensors = three_tensors();
    auto state = k.template init<double>(tensors);
    std::vector<std::byte> wire(k.template max_bytes<double>(tensors));
    const stamp which{1, at.step, static_cast<std::uint32_t>(at.worker), static_cast<std::uint32_t>(at.edge)};
    const std::size_t bytes = k.template compress<double>(state, v, tensors, which, wire);
    std::vector<double> q(v.size());
    k.template decompress<double>(std::span<const std::byte>(wire).first(bytes), tensors, q);
    return q;
  };
}

/// Gradients that go back through a compressor. Without feedback it may be unbiased.
template <class Inner>
uses<cross_gradients<Inner, any_feedback>, gradient_formula> uses_of(
    std::type_identity<cross_gradients<Inner, any_feedback>>) {
  using part = cross_gradients<Inner, any_feedback>;
  uses<part, gradient_formula> all;
  const auto add = [&](const std::string& name, const any_compressor& k, bool feedback, const std::string& written,
                       part value) {
    value.compressor = {.inner = {k, false}, .on = feedback};
    all.push_back(crossed_use((feedback ? ", error_feedback{" + name + "}" : ", " + name) + written, value));
    all.back().formula.back = codec_of(k);
    all.back().formula.feedback = feedback;
  };
  add("sign", {sign{}}, true, "", {});
  if constexpr (std::is_same_v<Inner, plain>) {
    add("qsgd", {qsgd{.bits = 4}}, false, "", {});
    add("sign", {sign{}}, true, ", .data_share = 0.3", {.data_share = 0.3});
    add("sign", {sign{}}, true, ", .by = quadratic_program", {.by = cross_aggregate::quadratic_program});
    add("sign", {sign{}}, true, ", .own = mixed", {.own = self_point::mixed});
    // A fine one: of gradients in a few levels, many sizes are equal but for rounding, which decides what top_k takes.
    add("qsgd{.scale = contraction}", {qsgd{.bits = 8, .scale = scaling::contraction}}, true, ", .compress_own = true",
        {.compress_own = true});
  }
  return all;
}
template <class K>
  requires compressor<K, double> && (!std::is_same_v<K, any_feedback>)
uses<cross_gradients<plain, K>, gradient_formula> uses_of(std::type_identity<cross_gradients<plain, K>>) {
  uses<cross_gradients<plain, K>, gradient_formula> all;
  for (const auto& [name, k] : uses_of(std::type_identity<K>{})) {
    all.push_back(crossed_use(", " + name, cross_gradients<plain, K>{.compressor = k}));
    if constexpr (detail::is_error_feedback<K>) {
      all.back().formula.back = codec_of(k.inner);
      all.back().formula.feedback = true;
    } else {
      all.back().formula.back = codec_of(k);
    }
  }
  return all;
}

inline uses<none, mixing_formula> uses_of(std::type_identity<none>) { return {{"none", {}, {}}}; }
inline uses<gossip, mixing_formula> uses_of(std::type_identity<gossip>) {
  return {{"gossip", {0.6}, {.form = mixing_form::gossip, .gamma = 0.6}},
          {"gossip{.of = before_step}", {0.6, mixed::before_step}, {.form = mixing_form::before_step, .gamma = 0.6}}};
}
inline uses<average, mixing_formula> uses_of(std::type_identity<average>) {
  return {{"average", {}, {.form = mixing_form::pull_push, .alpha = 1.0}},
          {"average{.alpha = 0.3}", {0.3}, {.form = mixing_form::pull_push, .alpha = 0.3}}};
}
inline uses<pull_push, mixing_formula> uses_of(std::type_identity<pull_push>) {
  mixing_formula f{.form = mixing_form::pull_push, .alpha = 0.1, .lambda = 0.2};
  uses<pull_push, mixing_formula> all{{"pull_push", {.alpha = f.alpha, .lambda = f.lambda}, f}};
  f.exact_push = true;
  all.push_back({"pull_push{.exact_push = true}", {.alpha = f.alpha, .lambda = f.lambda, .exact_push = true}, f});
  return all;
}
/// With the first compressor in all its ways, with the others as it is.
template <class K>
uses<choco<K>, mixing_formula> uses_of(std::type_identity<choco<K>>) {
  uses<choco<K>, mixing_formula> all;
  for (const auto& [name, k] : uses_of(std::type_identity<K>{})) {
    if (!refusal_of(k, "choco").empty()) continue;
    mixing_formula f{.form = mixing_form::choco, .gamma = 0.3, .c = codec_of(k)};
    all.push_back({"choco{" + name + "}", {k, f.gamma}, f});
    if (all.size() > 1) continue;
    f.mix_first = f.from_zero = true;
    all.push_back({"choco{" + name + ", .order = mix_first, .copies = zero}",
                   {k, f.gamma, choco_order::mix_first, public_copies::zero},
                   f});
    f.mix_first = f.from_zero = false;
    f.adaptive = true;
    f.gamma = 0.02;
    all.push_back({"choco{" + name + ", .adaptive = true}",
                   {k, f.gamma, choco_order::compress_first, public_copies::at_start, true},
                   f});
  }
  return all;
}
template <class K>
uses<choco_before_step<K>, mixing_formula> uses_of(std::type_identity<choco_before_step<K>>) {
  uses<choco_before_step<K>, mixing_formula> all;
  for (const auto& [name, k] : uses_of(std::type_identity<K>{})) {
    if (!refusal_of(k, "choco_before_step").empty()) continue;
    mixing_formula f{.form = mixing_form::choco_before_step, .gamma = 0.3, .c = codec_of(k)};
    all.push_back({"choco_before_step{" + name + "}", {k, f.gamma}, f});
    if (all.size() > 1) continue;
    f.from_zero = true;
    all.push_back({"choco_before_step{" + name + ", .copies = zero}", {k, f.gamma, public_copies::zero}, f});
  }
  return all;
}
template <class K>
uses<deep_squeeze<K>, mixing_formula> uses_of(std::type_identity<deep_squeeze<K>>) {
  uses<deep_squeeze<K>, mixing_formula> all;
  for (const auto& [name, k] : uses_of(std::type_identity<K>{})) {
    if (!refusal_of(k, "deep_squeeze").empty()) continue;
    const mixing_formula f{.form = mixing_form::deep_squeeze, .gamma = 0.1, .c = codec_of(k)};
    all.push_back({"deep_squeeze{" + name + "}", {k, f.gamma}, f});
  }
  return all;
}
/// In each step, and after every second.
template <class Mixing>
uses<every<Mixing>, mixing_formula> uses_of(std::type_identity<every<Mixing>>) {
  uses<every<Mixing>, mixing_formula> all;
  for (auto& [name, part, formula] : uses_of(std::type_identity<Mixing>{})) {
    all.push_back({name, {1, part}, formula});
    formula.tau = 2;
    all.push_back({"every{2, " + name + "}", {2, part}, formula});
  }
  return all;
}

/// Whether the gradient rule and the mixing rule with their values make a step: a gradient at the mixed point needs one
/// from which the step starts.
inline bool together(const gradient_formula& g, const mixing_formula& m) {
  const bool before = m.form == mixing_form::before_step || m.form == mixing_form::choco_before_step;
  return !g.own_at_mixed || (before && m.tau == 1);
}

}  // namespace polder::test
