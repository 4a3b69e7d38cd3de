#include "claims/run.hpp"

#include <chrono>
#include <string>

#include "claims/machine.hpp"
#include "claims/train_run.hpp"
#include "polder/core/error.hpp"
#include "polder/io/json.hpp"
#include "train/options.hpp"
#include "train/problem.hpp"
#include "train/records.hpp"
#include "train/run.hpp"

namespace polder_claims {
namespace {

using polder::io::json;

/// The numbers of an evaluation that are drawn or told.
json point(const json& evaluation) {
  json short_form;
  for (const char* const key :
       {"epoch", "accuracy_mean_model", "consensus_distance", "compression_error", "compression_error_length"}) {
    if (const json* const value = evaluation.find(key)) short_form[key] = *value;
  }
  return short_form;
}

}  // namespace

json run(const job& j, surroundings& around) {
  const auto begin = std::chrono::steady_clock::now();
  const auto if_any = [](const std::string& value) { return value.empty() ? json() : json(value); };
  json line{{"settings", settings_version},
            {"command", j.command()},
            {"purpose", j.purpose},
            {"method", j.method},
            {"graph", j.graph},
            {"alpha", j.alpha},
            {"seed", j.seed},
            {"lr", j.with.rate},
            {"rho", if_any(j.with.rho)},
            {"codec", j.with.codec},
            {"gamma", if_any(j.with.gamma)}};
  polder_train::options o = options_of(j.arguments, around.data);
  const auto task = polder_train::make_problem(o, [](const std::string&) {});
  json::array curve;
  polder::fit_callbacks callbacks;
  callbacks.evaluated = [&](const polder::evaluation& e) { curve.push_back(point(polder_train::to_json(o, e))); };
  try {
    const auto result = polder_train::run_eigen(o, task, callbacks);
    line["summary"] = polder_train::summary(o, task.tensors(), result);
    if (j.purpose == "compare") {
      if (!around.flatness) {
        around.flatness = std::make_unique<training_loss>(o.dataset, o.data, o.model, around.flatness_images);
      }
      const auto found = largest_eigenvalue(*around.flatness, result.mean);
      line["largest_eigenvalue"] = found.largest.front().value;
      line["largest_eigenvalue_error"] = found.largest.front().error;
      line["hessian_products"] = found.products;
    }
  } catch (const polder::non_finite_error& e) {
    line["failed"] = e.what();
  }
  line["curve"] = std::move(curve);
  line["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  line["commit"] = around.commit;
  line["machine"] = machine();
  return line;
}

}  // namespace polder_claims
