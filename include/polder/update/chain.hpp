// polder — update rules in a row, fused into one loop.
#pragma once

#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/ops/update.hpp"
#include "polder/update/part.hpp"

namespace polder {

template <class... Rules>
struct chain;

namespace detail {
template <class Rule>
inline constexpr bool is_chain = false;
template <class... Rules>
inline constexpr bool is_chain<chain<Rules...>> = true;

template <class Rule, class Context, class State>
concept chain_element = requires(const Rule rule, Context& ctx, State& state) { rule.element(ctx, state); };
}  // namespace detail

/// Update rules in a row: each gets what the one before it returned as its gradient.
///
///     chain{weight_decay{1e-4}, momentum{0.9}}          u = momentum(g + 1e-4 x)
///
/// The element functions are composed at compile time into one pass over memory. A rule that has to look at its whole
/// input first (`prepare`: it needs a norm or communicates) cuts the chain: what stands before it is brought into the
/// gradient buffer by one extra pass, unless it left the gradient as it was. At most one rule of a chain may observe the mixing.
///
/// State: that of the parts. Cost: the streams of the parts, plus the extra pass of each cut that is not at the front.
template <class... Rules>
struct chain {
  static_assert(!(detail::is_chain<Rules> || ...), "a chain inside a chain: write all rules in one row");

  std::tuple<Rules...> rules;

  constexpr chain(Rules... parts) : rules(std::move(parts)...) {}

  template <class... States>
  struct state {
    std::tuple<States...> parts;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      std::size_t index = 0;
      const auto visit_part = [&](auto& part) {
        part.visit([&](std::string_view name, auto vector) { visitor(text(index, ".", name), vector); });
        ++index;
      };
      std::apply([&](auto&... part) { (visit_part(part), ...); }, parts);
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] auto init(const B& backend, const layout& tensors) const {
    return std::apply(
        [&](const auto&... rule) {
          return state<decltype(rule.template init<T>(backend, tensors))...>{
              {rule.template init<T>(backend, tensors)...}};
        },
        rules);
  }

  template <class Context, class... States>
  void begin(Context& ctx, state<States...>& s) const {
    const auto begin_part = [&](const auto& rule, auto& part) {
      if constexpr (requires { rule.begin(ctx, part); }) rule.begin(ctx, part);
    };
    std::apply([&](const auto&... rule) { std::apply([&](auto&... part) { (begin_part(rule, part), ...); }, s.parts); },
               rules);
  }
  template <class Context, class... States, class T>
  void prepare(Context& ctx, state<States...>& s, view<typename Context::space, T> g) const {
    prepare_from<0, 0>(ctx, s, g);
  }
  template <class Context, class... States>
  [[nodiscard]] auto element(Context& ctx, state<States...>& s) const {
    static_assert(
        (detail::chain_element<Rules, Context, States> && ...),
        "a chain is a row of update rules: clip_norm, weight_decay, momentum, …; see docs/reference/parts.md");
    return elements(ctx, s, range<last_cut<Context, States...>(), sizeof...(Rules)>());
  }
  /// The streams of `element`: those of the rules that are part of the fused step.
  template <class Context, class... States>
  [[nodiscard]] auto streams(Context&, state<States...>& s) const {
    return streams_of(s, range<last_cut<Context, States...>(), sizeof...(Rules)>());
  }
  template <class Context, class... States>
  [[nodiscard]] auto observe(Context& ctx, state<States...>& s) const
    requires((observing_rule<Rules, Context, States> || ...))
  {
    static_assert((int{observing_rule<Rules, Context, States>} + ...) == 1,
                  "at most one rule of a chain may observe the mixing; drop one of them");
    return first_observation<0>(ctx, s);
  }

 private:
  template <std::size_t Offset, std::size_t... I>
  static constexpr auto shifted(std::index_sequence<I...>) {
    return std::index_sequence<(Offset + I)...>{};
  }
  /// From, From + 1, …, To - 1.
  template <std::size_t From, std::size_t To>
  static constexpr auto range() {
    return shifted<From>(std::make_index_sequence<To - From>{});
  }

  template <class Context, class State, class Rule>
  static constexpr bool cuts =
      preparing_rule<Rule, Context, State, view<typename Context::space, typename Context::value_type>>;

  /// The first rule of the fused step: the last one that cuts, or the first of all.
  template <class Context, class... States>
  static constexpr std::size_t last_cut() {
    std::size_t last = 0;
    std::size_t index = 0;
    ((cuts<Context, States, Rules> ? void(last = index) : void(), ++index), ...);
    return last;
  }

  /// Whether the elements of these rules leave the gradient as it is: nothing to bring into memory.
  template <class Context, class... States, std::size_t... I>
  static constexpr bool idle(std::index_sequence<I...>) {
    using all = std::tuple<Rules...>;
    using states = std::tuple<States...>;
    return (std::is_same_v<decltype(std::declval<const std::tuple_element_t<I, all>&>().element(
                               std::declval<Context&>(), std::declval<std::tuple_element_t<I, states>&>())),
                           ops::unchanged> &&
            ...);
  }

  template <std::size_t From, std::size_t I, class Context, class... States, class T>
  void prepare_from(Context& ctx, state<States...>& s, view<typename Context::space, T> g) const {
    if constexpr (I < sizeof...(Rules)) {
      using rule = std::tuple_element_t<I, std::tuple<Rules...>>;
      using part = std::tuple_element_t<I, std::tuple<States...>>;
      if constexpr (cuts<Context, part, rule>) {
        if constexpr (I > From && !idle<Context, States...>(range<From, I>())) materialize(ctx, s, g, range<From, I>());
        std::get<I>(rules).prepare(ctx, std::get<I>(s.parts), g);
        prepare_from<I, I + 1>(ctx, s, g);
      } else {
        prepare_from<From, I + 1>(ctx, s, g);
      }
    }
  }
  template <class Context, class State, class T, std::size_t... I>
  void materialize(Context& ctx, State& s, view<typename Context::space, T> g, std::index_sequence<I...> parts) const {
    const auto combined = elements(ctx, s, parts);
    if constexpr (!std::is_same_v<decltype(combined), const ops::chained<>>) {
      std::apply(
          [&](auto... stream) {
            ctx.backend.map(g.size, ops::materialize<decltype(combined)>{combined}, in(ctx.params.x()), inout(g),
                            stream...);
          },
          streams_of(s, parts));
    }
  }
  template <class Context, class State, std::size_t... I>
  [[nodiscard]] auto elements(Context& ctx, State& s, std::index_sequence<I...>) const {
    return join(std::get<I>(rules).element(ctx, std::get<I>(s.parts))...);
  }
  static auto join() { return ops::chained<>{}; }
  /// Rules whose work is done when they have prepared leave nothing to the loop: their element is ops::chained<>.
  template <class... Rest>
  static auto join(ops::chained<> /*nothing*/, Rest... rest) {
    return join(rest...);
  }
  template <class First, class... Rest>
  static auto join(First first, Rest... rest) {
    return before(first, join(rest...));
  }
  template <class First, class... Rest>
  static auto before(First first, ops::chained<Rest...> rest) {
    return ops::chained<First, Rest...>{first, rest};
  }
  template <class State, std::size_t... I>
  [[nodiscard]] auto streams_of(State& s, std::index_sequence<I...>) const {
    return std::tuple_cat(std::get<I>(rules).streams(std::get<I>(s.parts))...);
  }
  template <std::size_t I, class Context, class... States>
  [[nodiscard]] auto first_observation(Context& ctx, state<States...>& s) const {
    using rule = std::tuple_element_t<I, std::tuple<Rules...>>;
    using part = std::tuple_element_t<I, std::tuple<States...>>;
    if constexpr (observing_rule<rule, Context, part>) {
      return std::get<I>(rules).observe(ctx, std::get<I>(s.parts));
    } else {
      return first_observation<I + 1>(ctx, s);
    }
  }
};

/// Any update rule as a chain: a chain as it is, another rule as a chain of one.
template <class Rule>
[[nodiscard]] auto as_chain(Rule rule) {
  if constexpr (detail::is_chain<Rule>) {
    return rule;
  } else {
    return chain<Rule>{std::move(rule)};
  }
}

}  // namespace polder
