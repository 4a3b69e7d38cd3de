// polder-sharpness: measures how flat trained models are. See polder-sharpness --help.
#include <chrono>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"
#include "polder/io/json.hpp"
#include "polder/io/json_lines.hpp"
#include "sharpness/measures.hpp"
#include "sharpness/memory.hpp"
#include "sharpness/meter.hpp"
#include "sharpness/models.hpp"
#include "sharpness/network.hpp"
#include "sharpness/options.hpp"
#include "sharpness/pictures.hpp"
#include "sharpness/table.hpp"
#include "train/ending.hpp"
#include "train/images.hpp"
#include "train/usage_error.hpp"

namespace {

using namespace polder_sharpness;
using polder::text;
using polder::io::json;
using polder_train::usage_error;

/// The data set that all sources were trained on, unless the user names one.
std::string dataset_of(const options& o, const std::vector<source>& sources) {
  if (!o.dataset.empty()) return o.dataset;
  for (const source& s : sources) {
    polder::require<usage_error>(s.dataset == sources.front().dataset, "MODEL ", s.name, ": trained on ", s.dataset,
                                 ", but ", sources.front().name, " on ", sources.front().dataset,
                                 "; allowed: models of one data set, or --dataset for all of them");
  }
  const std::string& found = sources.front().dataset;
  const bool known = found.empty() || found == "fashion-mnist" || found == "digits" || found == "user";
  polder::require<polder::data_error>(known, "'", sources.front().paths.front(), "' was trained on the data set '",
                                      found, "', which is unknown: name one with --dataset");
  polder::require<usage_error>(found != "user" || !o.data.empty(), "--data: '", sources.front().name,
                               "' was trained on images of the user's; allowed: the folder that holds them");
  return found;
}

std::string model_of(const options& o, const source& s) {
  const std::string found = o.model.empty() ? s.model : o.model;
  polder::require<usage_error>(!found.empty(), "--model: '", s.paths.front(),
                               "' does not say which network it holds; allowed: the name of its network");
  polder::require<polder::data_error>(polder_train::is_model(found), "'", s.paths.front(), "' holds the network '",
                                      found, "', which is unknown: name one with --model");
  return found;
}

/// Throws usage_error for a plane that a run's workers cannot span.
void check_plane(const options& o, const source& s) {
  const std::size_t workers = s.files.size();
  if (!o.plane || o.plane->random || (workers == 1 && o.landscape.empty())) return;
  for (const std::size_t worker : o.plane->workers) {
    polder::require<usage_error>(worker < workers, "--plane: '", s.name, "' has no worker ", worker,
                                 "; allowed: numbers below ", workers, ", and mean");
  }
  polder::require<usage_error>(workers > 2 || o.landscape.empty(),
                               "--plane: the mean of two workers lies between them, '", s.name,
                               "' has no more; allowed: random, or three workers");
}

/// Throws usage_error where the directions of a measure do not fit into --memory.
void check_memory(const options& o, const std::string& model, std::size_t parameters) {
  const kept_directions most = most_directions(o, parameters);
  const double needed = most.bytes(parameters) / gibibyte;
  polder::require<usage_error>(needed <= o.memory, "--memory ", o.memory, ": ", most.measure, " of ", model, " keeps ",
                               most.count, " vectors of ", parameters, " doubles, ", needed,
                               " GiB; allowed: as much, or fewer --products, or to leave that out");
}

/// What a row says before anything is measured.
row begun_row(const options& o, const source& s, const std::string& measured, const std::string& model,
              const std::string& dataset, const sample_set& train, const sample_set& test, std::size_t train_images) {
  row r{.name = s.name, .measured = measured};
  r.numbers = json{{"input", s.name},
                   {"workers", s.files.size()},
                   {"measured_model", measured},
                   {"step", s.step ? json(*s.step) : json()},
                   {"model", model},
                   {"dataset", dataset},
                   {"train_images", train_images},
                   {"samples", train.size()},
                   {"test_images", test.size()},
                   {"label_smoothing", o.label_smoothing},
                   {"seed", o.seed}};
  const json settings{{"products", o.products}, {"draws", o.draws}, {"tolerance", o.tolerance},
                      {"epsilon", o.epsilon},   {"sigma", o.sigma}, {"gamma", o.gamma},
                      {"rise", o.rise},         {"kappa", o.kappa}, {"valley_rise", o.valley_rise}};
  r.numbers["settings"] = settings;
  if (!s.run.is_null()) r.numbers["run"] = s.run;
  return r;
}

void measure(options& o) {
  const auto say = [](const std::string& sentence) {
    std::fprintf(stderr, "polder-sharpness: %s\n", sentence.c_str());
  };
  const std::vector<source> sources = open_sources(o, say);
  for (const source& s : sources) check_plane(o, s);
  std::string dataset = dataset_of(o, sources);
  polder::data::train_test images = polder_train::read_images(dataset, o.data, say);
  polder_train::limit(images.train, o.train_limit);
  polder_train::limit(images.test, o.test_limit);
  const std::string fingerprint = polder_train::fingerprint(images.train);
  const std::size_t train_images = images.train.size();
  const sample_set train = gather(images.train, o.samples);
  const sample_set test = gather(images.test, 0);
  images = {};

  meter work;
  std::map<std::string, std::unique_ptr<network>> networks;
  std::vector<std::unique_ptr<measurement>> rows;
  std::vector<const network*> network_of;
  for (const source& s : sources) {
    const std::string model = model_of(o, s);
    std::unique_ptr<network>& f = networks[model];
    if (!f) {
      f = std::make_unique<network>(train, test, network_options{model, o.label_smoothing, o.threads}, work);
      check_memory(o, model, f->tensors().size());
    }
    const bool named = !o.model.empty() || !o.dataset.empty() || !o.data.empty();
    parameters found = parameters_of(s, f->tensors(), model, named, o.of == "evaluated");
    if (!s.images.empty() && s.images != fingerprint) {
      say(text("'", s.name, "' was trained on other images than the ", train_images, " of ", dataset,
               " that it is measured on: give --train-limit and --data as in the run, unless that is meant."));
    }
    if (s.label_smoothing != o.label_smoothing && s.checkpoint) {
      say(text("'", s.name, "' was trained with --label-smoothing ", s.label_smoothing, " and is measured with ",
               o.label_smoothing, "."));
    }
    const std::optional<std::uint64_t> seed = o.initial_seed ? o.initial_seed : s.seed;
    row begun = begun_row(o, s, found.measured, model, dataset, train, test, train_images);
    rows.push_back(std::make_unique<measurement>(o, *f, std::move(begun), std::move(found),
                                                 seed ? f->initial(*seed) : std::vector<float>(), train_images));
    network_of.push_back(f.get());
  }

  std::optional<polder::io::json_lines> lines;
  if (!o.json.empty()) lines.emplace(o.json);
  std::vector<std::vector<task>> tasks;
  const double landscape = o.landscape.empty() ? 0.0 : static_cast<double>(o.points * o.points) * cost::loss;
  double total = landscape;
  for (const auto& row : rows) {
    tasks.push_back(row->tasks());
    for (const task& t : tasks.back()) total += t.cost;
  }
  work.begin("sharpness", total);
  // What cannot be written must not cost the numbers.
  std::string failures;
  const auto attempt = [&](const auto& action) {
    try {
      action();
    } catch (const std::exception& e) {
      failures += text(failures.empty() ? "" : "; ", e.what());
    }
  };
  json::array numbers;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto start = std::chrono::steady_clock::now();
    for (const task& t : tasks[r]) {
      work.enter(t.name, t.cost);
      t.run();
    }
    row& found = rows[r]->result;
    rows[r]->release();
    json skipped = json::object();
    for (const auto& [name, reason] : found.skipped) skipped[name] = reason;
    found.numbers["skipped"] = std::move(skipped);
    found.numbers["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    numbers.push_back(found.numbers);
    if (lines) attempt([&] { lines->write(found.numbers); });
  }
  if (!o.landscape.empty()) {
    work.enter("landscape", landscape);
    attempt([&] { draw_landscape(o, *network_of.front(), *rows.front()); });
  }
  work.end();
  if (!o.spectrum.empty()) {
    std::vector<measurement*> all;
    for (const auto& row : rows) all.push_back(row.get());
    attempt([&] { draw_spectra(o, all); });
  }
  std::vector<const row*> shown;
  for (const auto& row : rows) shown.push_back(&row->result);
  attempt([&] { polder_train::print_last_line(table(o, shown) + "\n" + json{{"models", std::move(numbers)}}.dump()); });
  polder::require<polder::data_error>(failures.empty(), "the measures are taken, but: ", failures);
}

}  // namespace

int main(int argc, char** argv) {
  const polder_train::ending end = polder_train::guarded([&] {
    options o = parse_options(argc, argv);
    if (o.threads == 0) o.threads = std::max(1U, std::thread::hardware_concurrency());
    measure(o);
  });
  if (end.status != 0) polder_train::complain("polder-sharpness", end);
  return end.status;
}
