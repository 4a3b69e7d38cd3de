#include "claims/dppf/run.hpp"

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "claims/machine.hpp"
#include "polder/core/error.hpp"
#include "polder/io/json.hpp"
#include "polder/sharpness/lanczos.hpp"
#include "polder/sharpness/mean_valley.hpp"
#include "train/options.hpp"
#include "train/problem.hpp"
#include "train/records.hpp"
#include "train/run.hpp"

namespace polder_claims::dppf {
namespace {

using polder::io::json;

/// The numbers of gaps: of each worker to the mean of all.
struct gaps_found {
  std::vector<double> mean;
  std::vector<std::vector<double>> gaps;
};
gaps_found gaps_of(const std::vector<std::vector<float>>& models) {
  gaps_found found{std::vector<double>(models.front().size()), {}};
  const auto count = static_cast<double>(models.size());
  for (const auto& x : models) {
    for (std::size_t i = 0; i < x.size(); ++i) found.mean[i] += static_cast<double>(x[i]) / count;
  }
  for (const auto& x : models) {
    std::vector<double>& gap = found.gaps.emplace_back(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) gap[i] = static_cast<double>(x[i]) - found.mean[i];
  }
  return found;
}

/// The curvature of the loss along the gaps at the mean: the mean over workers of d^T H d / d^T d.
double curvature_along_gaps(const images_loss& f, const std::vector<std::vector<float>>& models) {
  const gaps_found found = gaps_of(models);
  const std::vector<float> center(found.mean.begin(), found.mean.end());
  auto hessian = f.hessian_at(center);
  std::vector<double> product(center.size());
  double sum = 0.0;
  for (const auto& gap : found.gaps) {
    hessian.multiply(gap, product);
    sum += polder::sharpness::detail::dot(gap, product) / polder::sharpness::detail::dot(gap, gap);
  }
  return sum / static_cast<double>(models.size());
}

void measure_width(json& line, const polder_train::options& o, const images_loss& f,
                   const std::vector<std::vector<float>>& models) {
  const std::uint64_t steps = o.epochs * o.steps_per_epoch;
  const std::uint64_t last_round = (steps / o.period) * o.period;
  line["last_rate"] = o.rate().at(last_round - o.period, steps);
  line["momentum"] = o.momentum;
  line["weight_decay"] = o.weight_decay;
  line["curvature_along_gaps"] = curvature_along_gaps(f, models);
}

void measure_compared(json& line, const training_images::losses& on, const std::vector<float>& x,
                      const std::vector<std::vector<float>>& models) {
  const auto train = on.all.evaluate(x);
  line["train_accuracy"] = train.accuracy();
  line["train_loss"] = train.loss();
  auto hessian = on.some.hessian_at(x);
  const auto found = polder::sharpness::largest_eigenvalues(hessian, {.tolerance = 1e-2, .most_steps = 60});
  line["largest_eigenvalue"] = found.largest.front().value;
  line["largest_eigenvalue_error"] = found.largest.front().error;
  std::vector<std::span<const float>> views(models.begin(), models.end());
  try {
    const auto valley = polder::sharpness::mean_valley(std::span<const std::span<const float>>(views), on.some);
    line["mean_valley"] = valley.mean_valley;
    line["open_valleys"] = valley.open;
  } catch (const polder::config_error&) {
    line["mean_valley"] = json();  // the workers ended equal: no directions
  }
}

void train_and_measure(json& line, const job& j, surroundings& around) {
  polder_train::options o = options_of(j.arguments, around.data);
  const auto task = polder_train::make_problem(o, [](const std::string&) {});
  const std::uint64_t steps = o.epochs * o.steps_per_epoch;
  remove_checkpoints(around.scratch);
  if (j.purpose != "tune") {
    // The workers' own models are in the checkpoint after the last step.
    o.checkpoint = around.scratch;
    o.checkpoint_every = steps;
  }
  try {
    const auto result = polder_train::run_eigen(o, task, {});
    line["summary"] = polder_train::summary(o, task.tensors(), result);
    if (j.purpose == "tune") return;
    if (!around.images) {
      around.images = std::make_unique<training_images>(o.dataset, o.data, o.train_limit, around.measured_images);
    }
    const auto models = models_in(o.checkpoint, steps, o.workers, task.tensors());
    const training_images::losses& on = around.images->of(o.model);
    if (j.purpose == "width") {
      measure_width(line, o, on.some, models);
    } else {
      measure_compared(line, on, result.mean, models);
    }
  } catch (const polder::non_finite_error& e) {
    line["failed"] = e.what();
  }
}

}  // namespace

json run(const job& j, surroundings& around) {
  const auto begin = std::chrono::steady_clock::now();
  const auto if_any = [](const std::string& value) { return value.empty() ? json() : json(value); };
  json line{{"settings", settings_version},
            {"command", j.command()},
            {"purpose", j.purpose},
            {"method", j.method},
            {"workers", j.workers},
            {"period", if_any(j.period)},
            {"seed", j.seed},
            {"lr", j.rate},
            {"second", if_any(j.second)},
            {"alpha", if_any(j.alpha)},
            {"lambda", if_any(j.lambda)},
            {"lr_schedule", if_any(j.schedule)}};
  if (j.on_quadratic()) {
    line["curvature"] = j.curvature;
    line["momentum"] = j.momentum;
    line["valley_width"] = width_on_quadratic(j);
  } else {
    train_and_measure(line, j, around);
    remove_checkpoints(around.scratch);
  }
  line["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  line["commit"] = around.commit;
  line["machine"] = machine();
  return line;
}

}  // namespace polder_claims::dppf
