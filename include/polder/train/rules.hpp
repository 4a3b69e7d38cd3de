// polder — what a worker asks of the three parts of its algorithm.
#pragma once

#include <cstdint>

#include "polder/core/view.hpp"
#include "polder/gradient/part.hpp"
#include "polder/mixing/part.hpp"
#include "polder/objective/context.hpp"
#include "polder/update/part.hpp"

namespace polder {

namespace detail {

/// The state of a rule in a context.
template <class Rule, class Context>
using state_in = state_t<Rule, typename Context::backend_type, typename Context::value_type>;

template <class Rule, class Context, class F>
concept gradient_rule =
    requires(const Rule rule, Context& ctx, state_in<Rule, Context>& state, F& f,
             view<typename Context::space, typename Context::value_type> g) { take_gradient(rule, ctx, state, f, g); };
template <class Rule, class Context>
concept update_rule =
    requires(const Rule rule, Context& ctx, state_in<Rule, Context>& state) { rule.element(ctx, state); };
template <class Rule, class Context>
concept mixing_rule = requires(const Rule rule, Context& ctx, state_in<Rule, Context>& state) {
  rule.mix(ctx, state, no_observation{});
  rule.rounds_in(std::uint64_t{1});
};

}  // namespace detail

}  // namespace polder
