// The methods of local steps, of synchronous gradients and of averages in time, as the options name them.
#pragma once

#include "polder/mixing/elastic_center.hpp"
#include "polder/mixing/gradient_weighted.hpp"
#include "polder/mixing/leader.hpp"
#include "polder/recipes/ddp_sam.hpp"
#include "polder/recipes/ddp_sgd.hpp"
#include "polder/recipes/diloco.hpp"
#include "polder/recipes/dppf.hpp"
#include "polder/recipes/easgd.hpp"
#include "polder/recipes/ema.hpp"
#include "polder/recipes/grawa.hpp"
#include "polder/recipes/local_sam.hpp"
#include "polder/recipes/local_sgd.hpp"
#include "polder/recipes/lookahead.hpp"
#include "polder/recipes/lsgd.hpp"
#include "polder/recipes/post_local_sgd.hpp"
#include "polder/recipes/qsr.hpp"
#include "polder/recipes/slow_mo.hpp"
#include "polder/recipes/swa.hpp"
#include "train/any_period.hpp"
#include "train/options.hpp"

namespace polder_train {

/// The synchronization rule that the options name.
inline any_period rounds(const options& o) {
  const std::uint64_t start = o.start_epoch * o.steps_per_epoch;
  if (o.sync == "post_local") return {polder::post_local{start, o.period}};
  if (o.sync == "qsr") return {polder::qsr{o.qsr_alpha, o.qsr_power, o.period, o.qsr_warmup}};
  if (o.sync == "loss_adaptive") return {polder::loss_adaptive{o.period}};
  if (o.sync == "drift_triggered") return {polder::drift_triggered{o.drift, o.look_every}};
  return {polder::constant_period{o.period}};
}

/// DPPF with the pull and the synchronization rule that the options name.
template <class Use>
auto with_dppf(const options& o, Use&& use) {
  using namespace polder;
  const recipes::dppf_options how{.alpha = o.pull,
                                  .lambda = o.push,
                                  .schedule = o.push_shape(),
                                  .exact_push = o.push_exact == "on",
                                  .start_round = o.push_start,
                                  .beta = o.momentum,
                                  .weight_decay = o.weight_decay,
                                  .clip_norm = o.clip_norm,
                                  .per_tensor = o.push_norm == "tensor",
                                  .from = o.push_from == "target" ? push_reference::target : push_reference::average};
  const double proximal = o.proximal / static_cast<double>(o.period);
  if (o.pull_to == "elastic") return use(recipes::dppf(how, elastic_center{.server = o.server == "on"}, rounds(o)));
  if (o.pull_to == "leader") return use(recipes::dppf(how, leader{.proximal = proximal}, rounds(o)));
  if (o.pull_to == "mgrawa" || o.pull_to == "lgrawa") {
    const auto per = o.pull_to == "mgrawa" ? weights_per::model : weights_per::tensor;
    return use(recipes::dppf(how, gradient_weighted{.per = per, .proximal = proximal}, rounds(o)));
  }
  return use(recipes::dppf(how, the_average{}, rounds(o)));
}

/// Calls use(algorithm) with the method that the options name, if it is one of these; `others()` else.
template <class Use, class Others>
auto with_local_method(const options& o, Use&& use, Others&& others) {
  namespace recipes = polder::recipes;
  const double beta = o.momentum;
  const double decay = o.weight_decay;
  const double clip = o.clip_norm;
  const std::uint64_t start = o.start_epoch * o.steps_per_epoch;
  if (o.method == "dppf") return with_dppf(o, use);
  if (o.method == "ddp_sgd") {
    return use(recipes::ddp_sgd({.weight_decay = decay, .clip_norm = clip}, polder::nesterov{beta}));
  }
  if (o.method == "ddp_sam") {
    const auto scope = o.scope == "worker" ? polder::sam_scope::worker : polder::sam_scope::all_workers;
    return use(recipes::ddp_sam({.rho = o.rho, .scope = scope, .weight_decay = decay, .clip_norm = clip},
                                polder::nesterov{beta}));
  }
  if (o.method == "local_sgd") {
    return use(
        recipes::local_sgd({.alpha = o.pull, .beta = beta, .weight_decay = decay, .clip_norm = clip}, rounds(o)));
  }
  if (o.method == "local_sam") {
    return use(recipes::local_sam(
        {.tau = o.period, .alpha = o.pull, .rho = o.rho, .beta = beta, .weight_decay = decay, .clip_norm = clip}));
  }
  if (o.method == "post_local_sgd" || o.method == "swap") {
    const recipes::post_local_sgd_options how{
        .start = start, .tau = o.period, .beta = beta, .weight_decay = decay, .clip_norm = clip};
    return use(in_any_rounds(o.method == "swap" ? recipes::swap(how) : recipes::post_local_sgd(how)));
  }
  if (o.method == "qsr") {
    return use(in_any_rounds(recipes::qsr({.alpha = o.qsr_alpha,
                                           .power = o.qsr_power,
                                           .tau = o.period,
                                           .warmup_tau = o.qsr_warmup,
                                           .beta = beta,
                                           .weight_decay = decay,
                                           .clip_norm = clip})));
  }
  if (o.method == "swa") {
    return use(recipes::swa({.start = start,
                             .interval = o.steps_per_epoch,
                             .tau = o.period,
                             .beta = beta,
                             .weight_decay = decay,
                             .clip_norm = clip}));
  }
  if (o.method == "ema") {
    return use(
        recipes::ema({.decay = o.ema_decay, .tau = o.period, .beta = beta, .weight_decay = decay, .clip_norm = clip}));
  }
  if (o.method == "easgd") {
    return use(in_any_rounds(recipes::easgd({.tau = o.period,
                                             .alpha = o.pull,
                                             .server = o.server == "on",
                                             .beta = beta,
                                             .weight_decay = decay,
                                             .clip_norm = clip})));
  }
  if (o.method == "lsgd") {
    return use(in_any_rounds(recipes::lsgd({.tau = o.period,
                                            .alpha = o.pull,
                                            .proximal = o.proximal,
                                            .beta = beta,
                                            .weight_decay = decay,
                                            .clip_norm = clip})));
  }
  if (o.method == "mgrawa" || o.method == "lgrawa") {
    const recipes::grawa_options how{.tau = o.period,
                                     .alpha = o.pull,
                                     .proximal = o.proximal,
                                     .beta = beta,
                                     .weight_decay = decay,
                                     .clip_norm = clip};
    return use(in_any_rounds(o.method == "mgrawa" ? recipes::mgrawa(how) : recipes::lgrawa(how)));
  }
  if (o.method == "lookahead") {
    return use(recipes::lookahead(
        {.tau = o.period, .alpha = o.outer_lr, .beta = beta, .weight_decay = decay, .clip_norm = clip}));
  }
  if (o.method == "slow_mo") {
    return use(recipes::slow_mo({.tau = o.period,
                                 .averages = o.averages,
                                 .slow_beta = o.outer_momentum,
                                 .slow_alpha = o.outer_lr,
                                 .beta = beta,
                                 .weight_decay = decay,
                                 .clip_norm = clip}));
  }
  if (o.method == "diloco") {
    return use(recipes::diloco({.tau = o.period,
                                .outer_lr = o.outer_lr,
                                .outer_beta = o.outer_momentum,
                                .beta = beta,
                                .weight_decay = decay,
                                .clip_norm = clip}));
  }
  return others();
}

}  // namespace polder_train
