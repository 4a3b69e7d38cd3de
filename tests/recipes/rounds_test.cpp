// The recipes whose rounds end by a rule, whose averages are outer steps, that are synchronous, or averaged in time: each
// against its formulas, and the identities between them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/mixing/averaged_in_time.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/none.hpp"
#include "polder/mixing/pull_push.hpp"
#include "polder/recipes/all_reduce.hpp"
#include "polder/recipes/ddp_sam.hpp"
#include "polder/recipes/ddp_sgd.hpp"
#include "polder/recipes/diloco.hpp"
#include "polder/recipes/ema.hpp"
#include "polder/recipes/local_sam.hpp"
#include "polder/recipes/local_sgd.hpp"
#include "polder/recipes/lookahead.hpp"
#include "polder/recipes/post_local_sgd.hpp"
#include "polder/recipes/qsr.hpp"
#include "polder/recipes/slow_mo.hpp"
#include "polder/recipes/swa.hpp"
#include "recipes/setting.hpp"
#include "recipes/stacked_reference.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::test;

template <class Algorithm>
void agrees(const setting& s, const Algorithm& parts, const rows& expected) {
  CHECK(largest_difference(s.train(reference_backend{}, parts), expected) < 1e-12);
  CHECK(largest_difference(s.train(eigen_backend{}, parts), expected) < 1e-12);
  CHECK(largest_difference(s.train<float>(eigen_backend{}, parts), expected) < 2e-5);
}

/// Local Nesterov steps; after each, round(t, x) may change what the workers hold.
rows stacked_rounds(const setting& s, const std::function<void(std::size_t, rows&)>& round, double rho = 0.0) {
  rows x = s.start(), v = zeros_like(s.problem);
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t i = 0; i < workers; ++i) {
      const auto g = rho > 0.0 ? sam_gradient(s.problem, i, x[i], rho) : s.f.gradient(i, x[i]);
      for (std::size_t k = 0; k < dimension; ++k) {
        const double decayed = g[k] + wd * x[i][k];
        v[i][k] = 0.8 * v[i][k] + decayed;
        x[i][k] -= s.problem.lr(t) * (decayed + 0.8 * v[i][k]);
      }
    }
    round(t, x);
  }
  return x;
}
void average_all(rows& x) { x = rows(x.size(), mean_of(x)); }

TEST_CASE("post-local SGD, SWAP and QSR average when they say") {
  const setting s(ring());
  agrees(s, recipes::post_local_sgd({.start = 20, .tau = 7, .beta = 0.8, .weight_decay = wd}),
         stacked_rounds(s, [](std::size_t t, rows& x) {
           if (t < 20 || (t + 1 - 20) % 7 == 0 || t + 1 == steps) average_all(x);
         }));
  agrees(s, recipes::swap({.start = 20, .beta = 0.8, .weight_decay = wd}),
         stacked_rounds(s, [](std::size_t t, rows& x) {
           if (t < 20 || t + 1 == steps) average_all(x);
         }));
  // The learning rate drops from 0.05 to 0.01 after step 30: periods of max(3, floor((0.031 / eta)^2)) = 3, then 9; the last
  // one is cut to the 3 steps that are left.
  const std::vector<std::size_t> ends{3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 39, 48, 57, 60};
  agrees(s, recipes::qsr({.alpha = 0.031, .tau = 3, .beta = 0.8, .weight_decay = wd}),
         stacked_rounds(s, [&](std::size_t t, rows& x) {
           if (std::find(ends.begin(), ends.end(), t + 1) != ends.end()) average_all(x);
         }));
}

TEST_CASE("each outer optimizer follows its formulas") {
  const setting s(ring());
  std::vector<double> point = s.x0, b(dimension, 0.0);
  const auto begin = [&] {
    point = s.x0;
    b.assign(dimension, 0.0);
  };
  agrees(s, recipes::lookahead({.tau = 5, .alpha = 0.6, .beta = 0.8, .weight_decay = wd}),
         stacked_rounds(s, [&](std::size_t t, rows& x) {
           if ((t + 1) % 5 != 0) return;
           const auto mean = mean_of(x);
           for (std::size_t k = 0; k < dimension; ++k) point[k] += 0.6 * (mean[k] - point[k]);
           x = rows(workers, point);
         }));
  begin();
  agrees(
      s,
      recipes::slow_mo({.tau = 3, .averages = 4, .slow_beta = 0.6, .slow_alpha = 0.9, .beta = 0.8, .weight_decay = wd}),
      stacked_rounds(s, [&](std::size_t t, rows& x) {
        if ((t + 1) % 3 != 0) return;
        average_all(x);
        if ((t + 1) % 12 != 0) return;
        for (std::size_t k = 0; k < dimension; ++k) {
          b[k] = 0.6 * b[k] + (point[k] - x[0][k]) / s.problem.lr(t);
          point[k] -= 0.9 * s.problem.lr(t) * b[k];
        }
        x = rows(workers, point);
      }));
  begin();
  agrees(s, recipes::diloco({.tau = 6, .outer_lr = 0.5, .outer_beta = 0.7, .beta = 0.8, .weight_decay = wd}),
         stacked_rounds(s, [&](std::size_t t, rows& x) {
           if ((t + 1) % 6 != 0) return;
           const auto mean = mean_of(x);
           for (std::size_t k = 0; k < dimension; ++k) {
             const double g = point[k] - mean[k];
             b[k] = 0.7 * b[k] + g;
             point[k] -= 0.5 * (g + 0.7 * b[k]);
           }
           x = rows(workers, point);
         }));
}

TEST_CASE("outer optimizers with neutral settings are Local SGD, and each other, bit for bit") {
  const setting s(ring());
  const auto run = [&](const auto& parts) { return s.train<float>(eigen_backend{}, parts); };
  const auto base = run(recipes::local_sgd({.tau = 4}));
  CHECK(run(recipes::slow_mo({.tau = 4, .averages = 1, .slow_beta = 0.0})) == base);
  CHECK(run(recipes::slow_mo({.tau = 4, .averages = 3, .slow_beta = 0.0})) == base);
  CHECK(run(recipes::slow_mo({.tau = 4, .averages = 1, .slow_beta = 0.1})) != base);
  CHECK(run(recipes::diloco({.tau = 4, .outer_lr = 1.0, .outer_beta = 0.0})) == base);
  CHECK(run(recipes::lookahead({.tau = 4, .alpha = 1.0})) == base);
  const auto ahead = run(recipes::lookahead({.tau = 4, .alpha = 0.7}));
  CHECK(run(recipes::diloco({.tau = 4, .outer_lr = 0.7, .outer_beta = 0.0})) == ahead);
  CHECK(ahead != base);
  // One worker alone: what Lookahead was made for.
  const auto alone = [&](const auto& parts) {
    return train_team(eigen_backend{}, parts, topology::mixing_matrix::metropolis(topology::ring(1)),
                      equal_start<float>(1, std::vector<float>(s.x0.begin(), s.x0.end())),
                      [&](int i) { return s.f.of(i); }, steps, {.lr = dropping()});
  };
  const auto one_ahead = alone(recipes::lookahead({.tau = 4, .alpha = 0.7}));
  CHECK(alone(recipes::diloco({.tau = 4, .outer_lr = 0.7, .outer_beta = 0.0})) == one_ahead);
  CHECK(alone(recipes::diloco({.tau = 4, .outer_lr = 0.7, .outer_beta = 0.1})) != one_ahead);
  CHECK(alone(recipes::lookahead({.tau = 4, .alpha = 1.0})) == alone(recipes::local_sgd({.tau = 4})));
  // With the soft average workers keep gaps: it is none of these.
  CHECK(run(recipes::local_sgd({.tau = 4, .alpha = 0.7})) != ahead);
}

TEST_CASE("SlowMo at a learning rate of 0 averages and keeps its memory") {
  const setting s(ring());
  const auto x = train_team(reference_backend{}, recipes::slow_mo({.tau = 1, .averages = 1}), s.weights, s.start(),
                            [&](int i) { return s.f.of(i); }, 3, {.lr = {.base = 0.0}});
  CHECK(largest_difference(x, s.start()) < 1e-14);
}

/// Synchronous steps on the mean of gradient(i, x), with Nesterov or heavy-ball momentum.
rows stacked_ddp(const setting& s,
                 const std::function<std::vector<double>(std::size_t, const std::vector<double>&)>& of, bool nesterov) {
  std::vector<double> x = s.x0, v(dimension, 0.0);
  for (std::size_t t = 0; t < steps; ++t) {
    rows g;
    for (std::size_t i = 0; i < workers; ++i) g.push_back(of(i, x));
    const auto mean = mean_of(g);
    for (std::size_t k = 0; k < dimension; ++k) {
      const double decayed = mean[k] + wd * x[k];
      v[k] = 0.8 * v[k] + decayed;
      x[k] -= s.problem.lr(t) * (nesterov ? decayed + 0.8 * v[k] : v[k]);
    }
  }
  return rows(workers, x);
}

TEST_CASE("synchronous SGD and SAM, with each worker's perturbation and with that of all, follow their formulas") {
  const setting s(ring());
  const auto own = [&](std::size_t i, const std::vector<double>& x) { return s.f.gradient(i, x); };
  agrees(s, recipes::ddp_sgd({.weight_decay = wd}, nesterov{0.8}), stacked_ddp(s, own, true));
  agrees(s, recipes::ddp_sgd({.weight_decay = wd}, momentum{0.8}), stacked_ddp(s, own, false));
  agrees(s, recipes::ddp_sam({.rho = 0.3, .weight_decay = wd}, nesterov{0.8}),
         stacked_ddp(
             s, [&](std::size_t i, const auto& x) { return sam_gradient(s.problem, i, x, 0.3); }, true));
  const auto uphill_of_all = [&](std::size_t i, const std::vector<double>& x) {
    rows g;
    for (std::size_t j = 0; j < workers; ++j) g.push_back(s.f.gradient(j, x));
    const auto mean = mean_of(g);
    auto up = x;
    for (std::size_t k = 0; k < dimension; ++k) up[k] += 0.3 * mean[k] / norm_of(mean);
    return s.f.gradient(i, up);
  };
  agrees(s, recipes::ddp_sam({.rho = 0.3, .scope = sam_scope::all_workers, .weight_decay = wd}, nesterov{0.8}),
         stacked_ddp(s, uphill_of_all, true));
  agrees(s, recipes::local_sam({.tau = 4, .alpha = 0.7, .rho = 0.3, .beta = 0.8, .weight_decay = wd}),
         stacked_rounds(
             s,
             [](std::size_t t, rows& x) {
               if ((t + 1) % 4 != 0) return;
               const auto mean = mean_of(x);
               for (auto& row : x) {
                 for (std::size_t k = 0; k < dimension; ++k) row[k] += 0.7 * (mean[k] - row[k]);
               }
             },
             0.3));
}

TEST_CASE("synchronous workers hold the same bits, and averaging parameters is the same up to rounding") {
  const setting s(ring());
  const auto x = s.train<float>(eigen_backend{}, recipes::ddp_sgd({.weight_decay = wd}));
  for (const auto& row : x) CHECK(row == x.front());
  CHECK(largest_difference(s.train(eigen_backend{}, recipes::ddp_sgd({.weight_decay = wd})),
                           s.train(eigen_backend{}, recipes::all_reduce({.weight_decay = wd}))) < 1e-14);
  // tau = 1, alpha = 1 and no push, with either momentum kept by each worker.
  const auto averaged = [&](const auto& rule) {
    return s.train(eigen_backend{},
                   algorithm{plain{}, chain{weight_decay{wd}, rule}, every{1, pull_push{.alpha = 1.0, .lambda = 0.0}}});
  };
  const auto synchronous = [&](const auto& rule) {
    return s.train(eigen_backend{}, recipes::ddp_sgd({.weight_decay = wd}, rule));
  };
  CHECK(largest_difference(averaged(momentum{0.9}), synchronous(momentum{0.9})) < 1e-14);
  CHECK(largest_difference(averaged(nesterov{0.9}), synchronous(nesterov{0.9})) < 1e-14);
  CHECK(largest_difference(averaged(momentum{0.9}), synchronous(nesterov{0.9})) > 1e-3);
}

TEST_CASE("a radius of 0 is the plain method, bit for bit") {
  const setting s(ring());
  const auto run = [&](const auto& parts) { return s.train<float>(eigen_backend{}, parts); };
  for (const auto scope : {sam_scope::worker, sam_scope::all_workers}) {
    CHECK(run(recipes::ddp_sam({.rho = 0.0, .scope = scope})) == run(recipes::ddp_sgd()));
  }
  CHECK(run(recipes::local_sam({.rho = 0.0})) == run(recipes::local_sgd()));
}

TEST_CASE("the mean gradient is clipped, not each worker's") {
  const setting s(ring());
  // A common slope of length 10 and opposite disturbances of length 1000 in pairs of workers.
  struct disturbed {
    int worker;
    double loss_and_gradient(std::span<const double> x, std::span<double> g) const {
      for (std::size_t k = 0; k < x.size(); ++k)
        g[k] = k == 0 ? 10.0 : k == 1 ? (worker % 2 == 0 ? 1000.0 : -1000.0) : 0.0;
      return 0.0;
    }
  };
  const auto x = train_team(reference_backend{}, recipes::ddp_sgd({.clip_norm = 5.0}, momentum{0.0}), s.weights,
                            s.start(), [](int i) { return disturbed{i}; }, 1, {.lr = {.base = 0.1}});
  CHECK(x[0][0] == Approx(s.x0[0] - 0.5).epsilon(1e-12));
  CHECK(x[3][1] == Approx(s.x0[1]).epsilon(1e-12));
}

TEST_CASE("averages in time: the mean over samples, or exponential over rounds, and training does not feel them") {
  const setting s(ring());
  const auto model_of = [&](const auto& parts) {
    rows models(workers);
    (void)train_team(
        reference_backend{}, parts, s.weights, s.start(), [&](int i) { return s.f.of(i); }, steps, {.lr = dropping()},
        [&](auto& one, std::uint64_t t) {
          if (t + 1 == steps) {
            const auto model = one.model();
            models[static_cast<std::size_t>(one.rank())].assign(model.data, model.data + model.size);
          }
        });
    return mean_of(models);
  };
  std::vector<double> mean(dimension, 0.0), smooth;
  double samples = 0.0;
  const rows trained = stacked_rounds(s, [&](std::size_t t, rows& x) {
    if ((t + 1) % 4 == 0) average_all(x);
    const auto now = mean_of(x);
    if (t + 1 >= 21 && (t + 1 - 21) % 5 == 0) {
      samples += 1.0;
      for (std::size_t k = 0; k < dimension; ++k) mean[k] += (now[k] - mean[k]) / samples;
    }
    if ((t + 1) % 4 != 0) return;
    if (smooth.empty()) smooth = now;
    for (std::size_t k = 0; k < dimension; ++k) smooth[k] = 0.9 * smooth[k] + 0.1 * now[k];
  });
  CHECK(samples == 8.0);
  const auto in_time = recipes::swa({.start = 21, .interval = 5, .tau = 4, .beta = 0.8, .weight_decay = wd});
  agrees(s, in_time, trained);
  const auto base = recipes::local_sgd({.tau = 4, .beta = 0.8, .weight_decay = wd});
  CHECK(s.train<float>(eigen_backend{}, in_time) == s.train<float>(eigen_backend{}, base));
  CHECK(largest_difference(stacked<double>{model_of(in_time)}, {mean}) < 1e-13);
  const auto exponential = recipes::ema({.decay = 0.9, .tau = 4, .beta = 0.8, .weight_decay = wd});
  agrees(s, exponential, trained);
  CHECK(largest_difference(stacked<double>{model_of(exponential)}, {smooth}) < 1e-13);
  // A decay of 0 remembers nothing.
  const auto forgetful = recipes::ema({.decay = 0.0, .tau = 4, .beta = 0.8, .weight_decay = wd});
  CHECK(largest_difference(stacked<double>{model_of(forgetful)}, {mean_of(trained)}) < 1e-13);
  CHECK(largest_difference(stacked<double>{model_of(base)}, {mean_of(trained)}) < 1e-13);
}

TEST_CASE("outer steps and averages in time out of range are refused with the value") {
  const setting s(ring());
  const auto refused = [&](const auto& parts) { (void)s.train(reference_backend{}, parts); };
  CHECK_THROWS_WITH(refused(recipes::slow_mo({.averages = 0})), Catch::Contains("averages is 0"));
  CHECK_THROWS_WITH(refused(recipes::slow_mo({.slow_beta = 1.0})), Catch::Contains("slow_mo: beta is 1"));
  CHECK_THROWS_WITH(refused(recipes::diloco({.outer_lr = 0.0})), Catch::Contains("diloco: lr is 0"));
  CHECK_THROWS_WITH(refused(recipes::lookahead({.alpha = 2.0})), Catch::Contains("lookahead: alpha is 2"));
  CHECK_THROWS_WITH(refused(recipes::swa({.start = 61})), Catch::Contains("only 60 steps"));
  CHECK_THROWS_WITH(refused(recipes::swa({.interval = 0})), Catch::Contains("interval 0"));
  CHECK_THROWS_WITH(refused(recipes::ema({.decay = 1.0})), Catch::Contains("ema: decay is 1"));
  CHECK_THROWS_WITH(recipes::post_local_sgd({.tau = 0}), Catch::Contains("tau is 0"));
}

TEST_CASE("the learning rate of weight averaging falls on a line from half of the start to nine tenths") {
  const learning_rate rates{.base = 0.1, .kind = learning_rate::shape::swa, .floor = 0.05, .swa_start = 0.8};
  CHECK(rates.at(0, 1000) == 0.1);
  CHECK(rates.at(399, 1000) == 0.1);
  CHECK(rates.at(560, 1000) == Approx(0.075).epsilon(1e-12));
  CHECK(rates.at(720, 1000) == Approx(0.05).epsilon(1e-12));
  CHECK(rates.at(999, 1000) == 0.05);
}

}  // namespace
