#include "claims/run.hpp"

#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/json.hpp"
#include "train/options.hpp"
#include "train/problem.hpp"
#include "train/records.hpp"
#include "train/run.hpp"

namespace polder_claims {
namespace {

using polder::io::json;

/// What /proc/cpuinfo calls the processor, and how many there are.
std::string machine() {
  std::ifstream file("/proc/cpuinfo");
  std::string model = "unknown processor";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) model = line.substr(line.find(':') + 2);
  }
  return polder::text(model, ", ", std::thread::hardware_concurrency(), " processors");
}

polder_train::options options_of(const job& j, const std::string& data) {
  std::vector<std::string> words{"polder-train"};
  words.insert(words.end(), j.arguments.begin(), j.arguments.end());
  if (!data.empty()) words.insert(words.end(), {"--data", data});
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  polder_train::options o = polder_train::parse_options(static_cast<int>(pointers.size()), pointers.data());
  o.settle_workers(1);
  o.deadline = 1e6;  // a set that was stopped for an hour goes on
  return o;
}

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
  polder_train::options o = options_of(j, around.data);
  const auto task = polder_train::make_problem(o, [](const std::string&) {});
  json::array curve;
  polder::fit_callbacks callbacks;
  callbacks.evaluated = [&](const polder::evaluation& e) { curve.push_back(point(polder_train::to_json(o, e))); };
  try {
    const auto result = polder_train::run_eigen(o, *task, callbacks);
    line["summary"] = polder_train::summary(o, task->tensors(), result);
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
