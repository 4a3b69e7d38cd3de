// One of the synchronization rules, chosen at run time: a rule itself, so that a method is compiled once for all of them.
#pragma once

#include <cstdint>
#include <utility>
#include <variant>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/schedule.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/synchronization.hpp"
#include "polder/train/algorithm.hpp"

namespace polder_train {

struct any_period {
  std::variant<polder::constant_period, polder::post_local, polder::qsr, polder::loss_adaptive, polder::drift_triggered>
      chosen{};
  bool keeps_start = std::visit([](const auto& rule) { return rule.keeps_start; }, chosen);

  /// What a rule remembers.
  template <class Rule, class B, class T>
  using memory_of = decltype(std::declval<const Rule&>().template init<T>(std::declval<const B&>(),
                                                                          std::declval<const polder::layout&>()));
  template <class B, class T>
  struct state {
    std::variant<memory_of<polder::constant_period, B, T>,  // and of post_local
                 memory_of<polder::qsr, B, T>, memory_of<polder::loss_adaptive, B, T>,
                 memory_of<polder::drift_triggered, B, T>>
        memory;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      std::visit([&](auto& one) { one.visit(visitor); }, memory);
    }
  };
  template <class T, polder::tensor_backend B>
  [[nodiscard]] state<B, T> init(const B& backend, const polder::layout& tensors) const {
    return std::visit([&](const auto& rule) { return state<B, T>{rule.template init<T>(backend, tensors)}; }, chosen);
  }
  template <class Context, class B, class T>
  [[nodiscard]] bool ends_round(Context& ctx, state<B, T>& s) const {
    return std::visit(
        [&]<class Rule>(const Rule& rule) { return rule.ends_round(ctx, std::get<memory_of<Rule, B, T>>(s.memory)); },
        chosen);
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps, const polder::learning_rate& rates) const {
    return std::visit([&](const auto& rule) { return rule.rounds_in(steps, rates); }, chosen);
  }
};

/// The same algorithm, its rule in an any_period.
template <class Gradient, class Update, class Mixing, class Period>
[[nodiscard]] auto in_any_rounds(const polder::algorithm<Gradient, Update, polder::every<Mixing, Period>>& a) {
  return polder::algorithm{a.gradient, a.update, polder::every{any_period{a.mixing.period}, a.mixing.mixing}};
}

}  // namespace polder_train
