#include "sharpness/measures.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>

#include "polder/core/error.hpp"
#include "polder/sharpness/epsilon_sharpness.hpp"
#include "polder/sharpness/filters.hpp"
#include "polder/sharpness/landscape.hpp"
#include "polder/sharpness/local_entropy.hpp"
#include "polder/sharpness/low_pass.hpp"
#include "polder/sharpness/mean_valley.hpp"
#include "polder/sharpness/output.hpp"
#include "polder/sharpness/pac_bayes.hpp"
#include "polder/sharpness/trace.hpp"
#include "sharpness/memory.hpp"

namespace polder_sharpness {
namespace {

using namespace polder;
using io::json;

std::string digits(double value, int count = 4) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*g", count, value);
  return buffer;
}
std::string with_error(double value, double error) { return text(digits(value), " ± ", digits(error, 2)); }
std::string percent(double share) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.2f %%", 100.0 * share);
  return buffer;
}

/// Evaluations that a search for a level is reckoned with; it may take more or fewer.
constexpr double search = 30.0;
/// Along the line between two workers.
constexpr std::size_t line_points = 51;

}  // namespace

measurement::measurement(const options& o, const network& f, row begun, parameters of, std::vector<float> initial,
                         std::size_t train_images)
    : result(std::move(begun)),
      o_(o),
      f_(f),
      workers_(std::move(of.workers)),
      x_(std::move(of.model)),
      initial_(std::move(initial)),
      train_images_(train_images),
      scales_(sharpness::filter_scales(f.tensors(), std::span<const float>(x_))) {}

line& measurement::line_of(const std::string& name) {
  const auto found = std::ranges::find(result.lines, name, &line::name);
  return found != result.lines.end() ? *found : result.lines.emplace_back(line{.name = name});
}
void measurement::show(const std::string& name, const way& w, std::string cell) {
  line& l = line_of(name);
  (w.filters ? l.filters : l.plain) = std::move(cell);
}
void measurement::put(const std::string& key, const way& w, json value) {
  result.numbers[w.filters ? key + "_filters" : key] = std::move(value);
}
void measurement::show_invariant(const std::string& name, double value) {
  line_of(name) = {name, digits(value), "the same"};
  result.numbers[name] = value;
}

std::vector<measurement::way> measurement::ways() const {
  std::vector<way> found;
  if (o_.plain()) found.emplace_back();
  if (o_.filtered()) found.push_back({true, scales_});
  return found;
}

template <class Use>
void measurement::with_hessian(const way& w, const Use& use) {
  if (!hessian_) {
    const double taken = most_directions(o_, x_.size()).bytes(x_.size());
    hessian_ = std::make_unique<network::hessian>(f_, x_, o_.memory * gibibyte - taken);
  }
  if (!w.filters) return use(*hessian_);
  sharpness::scaled_operator scaled(*hessian_, scales_);
  use(scaled);
}

template <class Action>
void measurement::add(std::vector<task>& to, const std::string& name, double cost, Action action) {
  to.push_back({name, cost, [this, name, action] {
                  // One measure that does not exist at this point, or fails, must not cost the others.
                  try {
                    action();
                  } catch (const std::bad_alloc&) {
                    result.skipped.emplace_back(name, "there is not enough memory for it");
                  } catch (const std::exception& e) {
                    result.skipped.emplace_back(name, e.what());
                  }
                }});
}
template <class Action>
void measurement::add_each_way(std::vector<task>& to, const std::string& name, double cost, const Action& action) {
  if (!o_.wants(name)) return;
  for (const way& w : ways()) {
    add(to, w.filters ? name + "_filters" : name, cost, [this, action, w] { (this->*action)(w); });
  }
}

std::vector<task> measurement::tasks() {
  std::vector<task> all;
  const auto products = static_cast<double>(o_.products) * cost::product;
  const auto draws = static_cast<double>(o_.draws) * cost::loss;
  if (o_.wants("loss")) add(all, "loss", 3.0, [this] { measure_loss(); });
  if (o_.wants("mean_valley")) {
    const auto directions = static_cast<double>(workers_.size() < 2 ? 0 : workers_.size());
    add(all, "mean_valley", 1.0 + 14.0 * directions, [this] { measure_mean_valley(); });
  }
  if (o_.wants("barrier")) {
    const double points = workers_.size() < 2 ? 0.0 : static_cast<double>(line_points);
    add(all, "barrier", points * cost::loss, [this] { measure_barrier(); });
  }
  add_each_way(all, "eigenvalues", std::min(products, 30.0 * cost::product), &measurement::measure_eigenvalues);
  add_each_way(all, "trace", products, &measurement::measure_trace);
  add_each_way(all, "hutch_plus_plus", products, &measurement::measure_hutch_plus_plus);
  add_each_way(all, "epsilon_sharpness", cost::gradient + search * cost::loss, &measurement::measure_epsilon_sharpness);
  add_each_way(all, "low_pass", draws, &measurement::measure_low_pass);
  add_each_way(all, "local_entropy", draws, &measurement::measure_local_entropy);
  add_each_way(all, "pac_bayes", initial_.empty() ? 0.0 : 200.0, &measurement::measure_pac_bayes);
  if (o_.wants("fisher_rao")) {
    add(all, "fisher_rao", cost::slopes,
        [this] { show_invariant("fisher_rao", sharpness::fisher_rao(f_, std::span<const float>(x_))); });
  }
  if (o_.wants("hessian_form")) {
    add(all, "hessian_form", cost::product, [this] {
      with_hessian(
          {}, [&](auto& h) { show_invariant("hessian_form", sharpness::hessian_form(h, std::span<const float>(x_))); });
    });
  }
  if (o_.wants("shannon_entropy")) {
    add(all, "shannon_entropy", cost::loss, [this] {
      std::vector<float> scores(f_.samples() * f_.classes());
      f_.logits(x_, scores);
      show_invariant("shannon_entropy", sharpness::shannon_entropy(std::span<const float>(scores), f_.classes()));
    });
  }
  if (!o_.spectrum.empty()) {
    const sharpness::spectrum_options usual;
    const auto count = static_cast<double>(usual.steps * usual.draws);
    add(all, "spectrum", count * cost::product, [this] { measure_spectrum(); });
  }
  return all;
}

void measurement::measure_loss() {
  const scores train = f_.score_train(x_), test = f_.score_test(x_);
  const std::pair<const char*, double> found[] = {{"loss", o_.label_smoothing > 0.0 ? f_.loss(x_) : train.mean_loss()},
                                                  {"accuracy", train.accuracy()},
                                                  {"test_loss", test.mean_loss()},
                                                  {"test_accuracy", test.accuracy()}};
  for (const auto& [name, value] : found) {
    const bool share = std::string_view(name).ends_with("accuracy");
    line_of(name) = {name, share ? percent(value) : digits(value), ""};
    result.numbers[name] = value;
  }
}

void measurement::measure_eigenvalues(const way& w) {
  with_hessian(w, [&](auto& h) {
    const auto found = sharpness::largest_eigenvalues(
        h, {.count = o_.top, .tolerance = o_.tolerance, .most_steps = o_.products, .seed = o_.seed});
    json::array values, errors;
    for (std::size_t i = 0; i < found.largest.size(); ++i) {
      const sharpness::eigenvalue& e = found.largest[i];
      const std::string name = i == 0 ? "lambda_max" : text("lambda_", i + 1);
      const bool good =
          e.error <= o_.tolerance * std::max(std::abs(found.largest.front().value), std::abs(found.smallest));
      show(name, w, with_error(e.value, e.error) + (good ? "" : " (not converged)"));
      values.emplace_back(e.value);
      errors.emplace_back(e.error);
    }
    show("lambda_least", w, text("<= ", digits(found.smallest)));
    put("lambda_max", w, found.largest.front().value);
    put("lambda_max_error", w, found.largest.front().error);
    put("lambda_converged", w, found.converged);
    put("lambda_products", w, found.products);
    put("lambda_least_at_most", w, found.smallest);
    put("eigenvalues", w, std::move(values));
    put("eigenvalue_errors", w, std::move(errors));
  });
}

void measurement::measure_trace(const way& w) {
  with_hessian(w, [&](auto& h) {
    const auto found = sharpness::hutchinson(h, {.draws = o_.products, .seed = o_.seed});
    show("trace", w, with_error(found.trace.value, found.trace.standard_error));
    show("frobenius_norm", w, with_error(found.frobenius_norm, found.frobenius_error));
    put("trace", w, found.trace.value);
    put("trace_error", w, found.trace.standard_error);
    put("frobenius_norm", w, found.frobenius_norm);
    put("frobenius_norm_error", w, found.frobenius_error);
  });
}

void measurement::measure_hutch_plus_plus(const way& w) {
  with_hessian(w, [&](auto& h) {
    const auto found = sharpness::hutch_plus_plus(h, {.draws = o_.products, .seed = o_.seed});
    show("hutch_plus_plus", w, with_error(found.value, found.standard_error));
    put("hutch_plus_plus", w, found.value);
    put("hutch_plus_plus_error", w, found.standard_error);
  });
}

void measurement::measure_epsilon_sharpness(const way& w) {
  const auto found = sharpness::epsilon_sharpness(f_, std::span<const float>(x_), {.epsilon = o_.epsilon}, w.scales);
  show("epsilon_sharpness", w, text(found.open ? "<= " : "", digits(found.value), found.open ? " (open)" : ""));
  put("epsilon_sharpness", w, found.value);
  put("epsilon_distance", w, found.distance);
  put("epsilon_open", w, found.open);
}

void measurement::measure_low_pass(const way& w) {
  const auto loss = [&](std::span<const float> x) { return f_.loss(x); };
  const auto found = sharpness::low_pass(std::span<const float>(x_), loss,
                                         {.sigma = o_.sigma, .draws = o_.draws, .seed = o_.seed}, w.scales);
  show("low_pass", w, with_error(found.value, found.standard_error));
  put("low_pass", w, found.value);
  put("low_pass_error", w, found.standard_error);
}

void measurement::measure_local_entropy(const way& w) {
  const auto loss = [&](std::span<const float> x) { return f_.loss(x); };
  const auto found = sharpness::local_entropy(std::span<const float>(x_), loss,
                                              {.gamma = o_.gamma, .draws = o_.draws, .seed = o_.seed}, w.scales);
  show("local_entropy", w, with_error(found.value, found.standard_error));
  show("local_entropy_loss", w, with_error(found.loss, found.standard_error));
  put("local_entropy", w, found.value);
  put("local_entropy_loss", w, found.loss);
  put("local_entropy_error", w, found.standard_error);
}

void measurement::measure_pac_bayes(const way& w) {
  require<config_error>(!initial_.empty(),
                        "nothing says where the run began: --initial-seed N gives the --seed of polder-train");
  const auto loss = [&](std::span<const float> x) { return f_.loss(x); };
  const auto found = sharpness::pac_bayes(std::span<const float>(x_), std::span<const float>(initial_), loss,
                                          {.samples = train_images_, .rise = o_.rise, .seed = o_.seed}, w.scales);
  // A larger sigma makes a smaller value.
  show("pac_bayes", w, text(found.open ? "<= " : "", digits(found.value), found.open ? " (open)" : ""));
  show("pac_bayes_sigma", w, text(found.open ? ">= " : "", digits(found.sigma)));
  put("pac_bayes", w, found.value);
  put("pac_bayes_sigma", w, found.sigma);
  put("pac_bayes_open", w, found.open);
}

void measurement::measure_mean_valley() {
  require<config_error>(
      workers_.size() >= 2,
      "one model spans no valley: give a folder of --checkpoint, or the workers' files with --together");
  std::vector<std::span<const float>> models(workers_.begin(), workers_.end());
  const auto loss = [&](std::span<const float> x) { return f_.loss(x); };
  const auto found = sharpness::mean_valley<float>(std::span<const std::span<const float>>(models), loss,
                                                   {.kappa = o_.kappa, .rise = o_.valley_rise});
  const std::string open = found.open == 0 ? "" : text(" (", found.open, " of ", workers_.size(), " open)");
  line_of("mean_valley") = {"mean_valley", text(open.empty() ? "" : ">= ", digits(found.mean_valley), open), ""};
  line_of("inverse_mean_valley") = {"inverse_mean_valley",
                                    text(open.empty() ? "" : "<= ", digits(found.inverse_mean_valley()), open), ""};
  line_of("reciprocal_mean_valley") = {"reciprocal_mean_valley",
                                       text(open.empty() ? "" : "<= ", digits(found.reciprocal()), open), ""};
  json::array boundaries;
  double width = 0.0;
  for (const sharpness::valley_boundary& b : found.boundaries) {
    boundaries.emplace_back(
        json{{"distance", b.direction ? json(b.distance) : json()}, {"radius", b.radius}, {"open", b.open}});
    width += b.radius / static_cast<double>(found.boundaries.size());
  }
  line_of("valley_width") = {"valley_width", digits(width), ""};
  json& to = result.numbers;
  to["mean_valley"] = found.mean_valley;
  to["inverse_mean_valley"] = found.inverse_mean_valley();
  to["reciprocal_mean_valley"] = found.reciprocal();
  to["valley_width"] = width;
  to["valley_level"] = found.level;
  to["valley_open"] = found.open;
  to["valley_boundaries"] = std::move(boundaries);
}

void measurement::measure_barrier() {
  require<config_error>(
      workers_.size() >= 2,
      "one model has no other to go to: give a folder of --checkpoint, or the workers' files with --together");
  const std::vector<std::size_t> between = o_.plane.value_or(plane_choice{}).workers;
  const auto loss = [&](std::span<const float> x) { return f_.loss(x); };
  const auto line = sharpness::line_between(std::span<const float>(workers_[between[0]]),
                                            std::span<const float>(workers_[between[1]]), loss, line_points);
  line_of("barrier") = {"barrier", digits(line.barrier()), ""};
  result.numbers["barrier"] = line.barrier();
  result.numbers["barrier_workers"] = json::array{between[0], between[1]};
}

void measurement::measure_spectrum() {
  with_hessian({.filters = !o_.plain(), .scales = scales_},
               [&](auto& h) { spectrum_ = sharpness::spectral_density(h, {.seed = o_.seed}); });
}

}  // namespace polder_sharpness
