// polder — what the mixing rules that send compressed messages have in common.
#pragma once

#include "polder/core/error.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/topology/requirements.hpp"

namespace polder::detail {

/// What compressed gossip needs of a mixing matrix. `kept`: how the rule keeps what its neighbors are known to have.
inline void check_for_compression(const topology::mixing_matrix& weights, const char* rule,
                                  const char* kept = "as one weighted sum") {
  require<config_error>(weights.period() == 1, rule, ": the graph ", weights.on().name(), " changes over ",
                        weights.period(), " phases, but what neighbors are known to have is kept ", kept,
                        ": take a graph that stays");
  topology::check(weights, {.symmetric = true, .because = "compression errors cancel over each edge only then"});
}

}  // namespace polder::detail
