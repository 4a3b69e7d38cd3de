// The run of one worker and of all of them, for any backend.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "polder/comm/counted.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/compress/measured.hpp"
#include "polder/core/view.hpp"
#include "polder/recipes/all_reduce.hpp"
#include "polder/recipes/cga.hpp"
#include "polder/recipes/choco_sgd.hpp"
#include "polder/recipes/comp_cga.hpp"
#include "polder/recipes/comp_n_saddle.hpp"
#include "polder/recipes/comp_ngm.hpp"
#include "polder/recipes/comp_q_saddle.hpp"
#include "polder/recipes/d_psgd.hpp"
#include "polder/recipes/deep_squeeze.hpp"
#include "polder/recipes/dsgdm_n.hpp"
#include "polder/recipes/n_saddle.hpp"
#include "polder/recipes/ngm.hpp"
#include "polder/recipes/power_sgd.hpp"
#include "polder/recipes/q_saddle.hpp"
#include "polder/recipes/qgm.hpp"
#include "polder/topology/from_name.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/train/worker.hpp"
#include "train/any_communicator.hpp"
#include "train/any_compressor.hpp"
#include "train/engine.hpp"
#include "train/local_methods.hpp"
#include "train/run.hpp"
#if defined(POLDER_HAVE_MPI)
#include "polder/comm/mpi.hpp"
#endif

namespace polder_train {

using compressor = polder::measured<any_compressor>;

inline compressor compressor_named(const std::string& name, const options& o) {
  return {*any_compressor::parse(name), o.measure_compression == "on"};
}

/// A mixing rule that compresses, as the options say.
template <class Mixing>
Mixing compressed_gossip(const options& o) {
  Mixing rule{.compressor = compressor_named(o.compress, o), .gamma = o.gamma, .seed = o.seed};
  if constexpr (requires { rule.gamma.reset(); }) {
    if (o.derives_gamma()) rule.gamma.reset();
  }
  return rule;
}

/// Calls use(make(mixing, back)) with what carries the parameters and what the gradients that go back.
template <class Make, class Use>
auto with_two_messages(const options& o, const Make& make, Use&& use) {
  const auto with = [&](const auto& mixing) {
    if (o.compress_cross == "none") return use(make(mixing, polder::uncompressed{}));
    return use(make(mixing, any_feedback{compressor_named(o.compress_cross, o), o.error_feedback == "on"}));
  };
  if (o.compress == "none") return with(polder::gossip{.gamma = o.gamma, .of = polder::mixed::before_step});
  return with(compressed_gossip<polder::choco_before_step<compressor>>(o));
}

/// Whether the vectors of a backend lie in host memory.
template <class Backend>
constexpr bool in_host_memory = std::is_same_v<typename Backend::space, polder::host_space>;

/// Calls use(algorithm) with the method that the options name, one that works in host memory.
template <class Use>
auto with_host_method(const options& o, Use&& use) {
  namespace recipes = polder::recipes;
  const double beta = o.momentum;
  const double decay = o.weight_decay;
  const double clip = o.clip_norm;
  if (o.method == "power_sgd") {
    return use(
        recipes::power_sgd({.rank = o.rank, .beta = beta, .weight_decay = decay, .clip_norm = clip, .seed = o.seed}));
  }
  if (o.method == "choco_sgd") {
    return use(recipes::choco_sgd(compressed_gossip<polder::choco<compressor>>(o),
                                  {.beta = beta, .weight_decay = decay, .clip_norm = clip}));
  }
  if (o.method == "deep_squeeze") {
    return use(recipes::deep_squeeze_sgd(compressed_gossip<polder::deep_squeeze<compressor>>(o),
                                         {.beta = beta, .weight_decay = decay, .clip_norm = clip}));
  }
  if (o.method == "comp_q_saddle") {
    const recipes::comp_q_saddle_options q{
        .rho = o.rho, .beta = beta, .mu = o.mu, .weight_decay = decay, .clip_norm = clip};
    return o.error_feedback == "on"
               ? use(recipes::comp_q_saddle(compressed_gossip<polder::deep_squeeze<compressor>>(o), q))
               : use(recipes::comp_q_saddle(compressed_gossip<polder::choco<compressor>>(o), q));
  }
  if (o.method == "comp_ngm") {
    const recipes::comp_ngm_options how{.weight_decay = decay, .clip_norm = clip, .seed = o.seed};
    return with_two_messages(
        o,
        [&](const auto& mixing, const auto& back) {
          return recipes::comp_ngm(mixing, back, how, polder::nesterov{beta});
        },
        use);
  }
  if (o.method == "comp_cga") {
    const recipes::comp_cga_options how{.weight_decay = decay, .clip_norm = clip, .seed = o.seed};
    return with_two_messages(
        o,
        [&](const auto& mixing, const auto& back) {
          return recipes::comp_cga(mixing, back, how, polder::nesterov{beta});
        },
        use);
  }
  const recipes::comp_n_saddle_options how{.rho = o.rho, .weight_decay = decay, .clip_norm = clip, .seed = o.seed};
  return with_two_messages(
      o,
      [&](const auto& mixing, const auto& back) {
        return recipes::comp_n_saddle(mixing, back, how, polder::nesterov{beta});
      },
      use);
}

/// Calls use(algorithm) with the method of a graph, or exact averaging, that the options name.
template <class Backend, class Use>
auto with_method(const options& o, Use&& use) {
  namespace recipes = polder::recipes;
  const double beta = o.momentum;
  const double decay = o.weight_decay;
  const double clip = o.clip_norm;
  if constexpr (in_host_memory<Backend>) {
    if (o.needs_host_memory()) return with_host_method(o, use);
  }
  if (o.method == "d_psgd") return use(recipes::d_psgd({.weight_decay = decay, .gamma = o.gamma, .clip_norm = clip}));
  if (o.method == "dsgdm_n") {
    return use(recipes::dsgdm_n({.beta = beta, .weight_decay = decay, .gamma = o.gamma, .clip_norm = clip}));
  }
  if (o.method == "qgm") {
    return use(recipes::qgm({.beta = beta, .mu = o.mu, .weight_decay = decay, .gamma = o.gamma, .clip_norm = clip}));
  }
  if (o.method == "q_saddle") {
    return use(recipes::q_saddle(
        {.rho = o.rho, .beta = beta, .mu = o.mu, .weight_decay = decay, .gamma = o.gamma, .clip_norm = clip}));
  }
  if (o.method == "ngm" || o.method == "ngm_model") {
    return use(recipes::ngm(
        {.data_share = o.method == "ngm" ? 1.0 : 0.0, .weight_decay = decay, .gamma = o.gamma, .clip_norm = clip},
        polder::nesterov{beta}));
  }
  if (o.method == "cga") {
    return use(recipes::cga({.weight_decay = decay, .gamma = o.gamma, .clip_norm = clip}, polder::nesterov{beta}));
  }
  if (o.method == "n_saddle") {
    return use(recipes::n_saddle({.rho = o.rho, .weight_decay = decay, .gamma = o.gamma, .clip_norm = clip},
                                 polder::nesterov{beta}));
  }
  return use(recipes::all_reduce({.beta = beta, .weight_decay = decay, .clip_norm = clip}));
}

/// One worker from its first step to its last, on a backend of its own.
template <class Backend>
polder::fit_result<float> run_worker(const engine<Backend>& network, const Backend& backend,
                                     any_communicator<Backend>& comm, const options& o, const problem& p,
                                     const polder::topology::mixing_matrix& weights,
                                     const polder::fit_callbacks& callbacks) {
  polder::counted counting(comm);
  const auto loss = network.loss_of(comm.rank(), backend);
  const auto tests = network.tests_on(backend);
  polder::checkpoint_folder checkpoints(o.checkpoint, o.configuration());
  polder::checkpoint_folder earlier(o.resume, o.configuration());

  polder::fit_options how{.epochs = o.epochs,
                          .steps_per_epoch = p.steps_per_epoch(),
                          .batch = o.batch,
                          .evaluate_every = o.eval_every,
                          .evaluation_samples = o.eval_samples,
                          .checkpoint_every = o.checkpoint_every != 0 ? o.checkpoint_every : p.steps_per_epoch()};
  if (!o.checkpoint.empty()) how.checkpoints = &checkpoints;
  if (!o.resume.empty()) how.resume_from = o.resume == o.checkpoint ? &checkpoints : &earlier;

  const auto train = [&](const auto& parts) {
    polder::worker worker(parts, backend, counting, weights, *loss, std::span<const float>(p.initial_parameters()),
                          {.lr = o.rate(), .total_steps = how.total_steps(), .check_gradient = true});
    return polder::fit(worker, *tests, how, callbacks);
  };
  return with_local_method(o, train, [&] { return with_method<Backend>(o, train); });
}

/// All workers of this process, each on a backend that it makes in its thread; a device's has a stream of its own.
template <class Backend, class Make>
polder::fit_result<float> run_all(const engine<Backend>& network, const Make& make_backend, const options& o,
                                  const problem& p, const polder::fit_callbacks& callbacks) {
  using polder::topology::mixing_matrix;
  const std::chrono::milliseconds deadline(static_cast<long long>(o.deadline * 1000.0));
  const mixing_matrix weights =
      mixing_matrix::usual(polder::topology::from_name(o.gossips() ? o.topology : "complete", o.workers));
  const auto run = [&](auto& comm) {
    typename any_communicator<Backend>::template of<std::remove_reference_t<decltype(comm)>> any(comm);
    return run_worker<Backend>(network, make_backend(), any, o, p, weights, callbacks);
  };
#if defined(POLDER_HAVE_MPI)
  if constexpr (in_host_memory<Backend>) {
    if (o.communicator == "mpi") {
      polder::mpi_communicator<> comm;
      comm.deadline(deadline);
      return run(comm);
    }
  }
#endif
  polder::fit_result<float> result;
  polder::in_process_group<typename Backend::space> group(o.workers, deadline);
  polder::run_workers(group, [&](auto& comm) {
    auto mine = run(comm);
    if (comm.rank() == 0) result = std::move(mine);
  });
  return result;
}

}  // namespace polder_train
