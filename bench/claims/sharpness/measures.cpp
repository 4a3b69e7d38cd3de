#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "claims/machine.hpp"
#include "claims/sharpness/run.hpp"
#include "polder/core/error.hpp"
#include "polder/sharpness/epsilon_sharpness.hpp"
#include "polder/sharpness/filters.hpp"
#include "polder/sharpness/lanczos.hpp"
#include "polder/sharpness/local_entropy.hpp"
#include "polder/sharpness/low_pass.hpp"
#include "polder/sharpness/mean_valley.hpp"
#include "polder/sharpness/output.hpp"
#include "polder/sharpness/pac_bayes.hpp"
#include "polder/sharpness/trace.hpp"

namespace polder_claims::sharpness {
namespace {

namespace ps = polder::sharpness;
using polder::io::json;

double distance(std::span<const float> a, std::span<const float> b) {
  double squares = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double gap = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    squares += gap * gap;
  }
  return std::sqrt(squares);
}

/// What a measure gives, or null where it says that it cannot be taken.
template <class Take>
json if_possible(const Take& take) {
  try {
    return take();
  } catch (const polder::config_error&) {
    return {};
  } catch (const polder::non_finite_error&) {
    return {};
  }
}

template <class Hessian>
void measure_curvature(json& to, const std::string& suffix, const run_set& set, Hessian& hessian) {
  const auto top = ps::largest_eigenvalues(hessian, {.tolerance = 1e-2, .most_steps = set.products});
  to["largest_eigenvalue" + suffix] = top.largest.front().value;
  to["largest_eigenvalue_error" + suffix] = top.largest.front().error;
  const auto sums = ps::hutchinson(hessian, {.draws = set.draws});
  to["trace" + suffix] = sums.trace.value;
  to["trace_error" + suffix] = sums.trace.standard_error;
  to["frobenius" + suffix] = sums.frobenius_norm;
}

void measure_loss(json& to, const std::string& suffix, const run_set& set, const trained& model, const images_loss& f,
                  std::span<const double> scales) {
  const std::span<const float> x = model.mean;
  to["epsilon_sharpness" + suffix] = if_possible(
      [&] { return json(ps::epsilon_sharpness(f, x, {.epsilon = rise, .tolerance = 1e-3}, scales).value); });
  to["low_pass" + suffix] = if_possible([&] { return json(ps::low_pass(x, f, {.draws = set.draws}, scales).value); });
  to["local_entropy" + suffix] =
      if_possible([&] { return json(ps::local_entropy(x, f, {.draws = set.draws}, scales).loss); });
  const ps::pac_bayes_options how{.samples = f.images(), .rise = rise, .draws = set.draws / 5, .tolerance = 1e-2};
  to["pac_bayes" + suffix] =
      if_possible([&] { return json(ps::pac_bayes(x, std::span<const float>(model.start), f, how, scales).value); });
}

void measure_valleys(json& to, const trained& model, const images_loss& f) {
  std::vector<std::span<const float>> views(model.models.begin(), model.models.end());
  const std::span<const std::span<const float>> models(views);
  to["inverse_mean_valley"] =
      if_possible([&] { return json(ps::mean_valley(models, f, {.rise = rise}).inverse_mean_valley()); });
  to["inverse_mean_valley_twice"] =
      if_possible([&] { return json(ps::mean_valley(models, f, {.kappa = 2.0}).inverse_mean_valley()); });
}

}  // namespace

json measure(const run_set& set, const trained& model, const images_loss& f) {
  json to = json::object();
  const std::span<const float> x = model.mean;
  const std::vector<double> scales = ps::filter_scales(f.layout(), x);
  auto hessian = f.hessian_at(x);
  measure_curvature(to, "", set, hessian);
  ps::scaled_operator scaled(hessian, scales);
  measure_curvature(to, "_filters", set, scaled);
  measure_loss(to, "", set, model, f, {});
  measure_loss(to, "_filters", set, model, f, scales);
  measure_valleys(to, model, f);
  const auto whole = f.whole();
  std::vector<float> scores(f.images() * whole.classes());
  const std::vector<float> still(x.size());
  {
    std::vector<float> slopes(scores.size());
    whole.scores_along(x, still, scores, slopes);
  }
  to["shannon_entropy"] = ps::shannon_entropy(std::span<const float>(scores), whole.classes());
  to["fisher_rao"] = ps::fisher_rao(whole, x);
  to["hessian_form"] = ps::hessian_form(hessian, x);
  std::vector<float> g(x.size());
  (void)f.loss_and_gradient(x, g);
  const std::vector<float> origin(x.size());
  to["gradient_norm"] = distance(g, origin);
  to["parameter_norm"] = distance(x, origin);
  to["distance_from_start"] = distance(x, model.start);
  return to;
}

json run(const run_set& set, const job& j, const surroundings& around) {
  using clock = std::chrono::steady_clock;
  const auto since = [](clock::time_point begin) {
    return std::chrono::duration<double>(clock::now() - begin).count();
  };
  const auto begin = clock::now();
  json line{{"settings", settings_version},
            {"command", j.command()},
            {"purpose", j.purpose},
            {"kind", j.kind},
            {"width", j.width},
            {"batch", j.batch},
            {"rate", j.rate},
            {"momentum", j.momentum},
            {"weight_decay", j.weight_decay},
            {"seed", j.seed}};
  const network net = network_of(j, around.images.train);
  const images_loss loss(net, around.images.train, around.train);
  try {
    const trained model = train(set, j, around, loss);
    line["training_seconds"] = since(begin);
    const auto on_train = loss.evaluate(model.mean);
    const auto on_test = images_loss(net, around.images.test, around.test).evaluate(model.mean);
    line["epochs"] = model.epochs;
    line["parameters"] = net.size();
    line["train_loss"] = on_train.loss();
    line["train_error"] = 1.0 - on_train.accuracy();
    line["test_loss"] = on_test.loss();
    line["test_error"] = 1.0 - on_test.accuracy();
    line["measures"] = measure(set, model, loss);
  } catch (const polder::non_finite_error& e) {
    line["failed"] = e.what();
  }
  line["seconds"] = since(begin);
  line["commit"] = around.commit;
  line["machine"] = machine();
  return line;
}

}  // namespace polder_claims::sharpness
