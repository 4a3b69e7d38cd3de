// polder — what the mixing rules that send compressed messages have in common.
#pragma once

#include "polder/compress/error_feedback.hpp"
#include "polder/compress/message_maker.hpp"
#include "polder/core/error.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/topology/requirements.hpp"

namespace polder::detail {

/// What compressed gossip needs of a compressor. It feeds back what messages leave out, so with an error_feedback inside
/// every error would be sent twice: what choco then compresses, x - x^ + e, holds the last error twice and takes the one
/// before away.
template <class Compressor>
void require_for_loop(const Compressor& compressor, const char* rule) {
  static_assert(!is_error_feedback<Compressor>,
                "an error_feedback inside choco, choco_before_step or deep_squeeze: they send what a message left out "
                "with the next one already; name the compressor itself");
  require_contraction(compressor, rule);
}

/// What compressed gossip needs of a mixing matrix. `kept`: how the rule keeps what its neighbors are known to have.
inline void check_for_compression(const topology::mixing_matrix& weights, const char* rule,
                                  const char* kept = "as one weighted sum") {
  require<config_error>(weights.period() == 1, rule, ": the graph ", weights.on().name(), " changes over ",
                        weights.period(), " phases, but what neighbors are known to have is kept ", kept,
                        ": take a graph that stays");
  topology::check(weights, {.symmetric = true, .because = "compression errors cancel over each edge only then"});
}

}  // namespace polder::detail
