#include "sharpness/models.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"
#include "polder/io/json_parse.hpp"
#include "train/number.hpp"
#include "train/usage_error.hpp"

namespace polder_sharpness {
namespace {

using namespace polder;
using polder_train::number_in;
using polder_train::usage_error;

std::string text_or_empty(const io::metadata_map& texts, std::string_view key) {
  const auto found = texts.find(key);
  return found == texts.end() ? std::string() : found->second;
}

source open_file(const std::string& path) {
  io::safetensors_file file = io::read_safetensors(path);
  require<data_error>(!file.metadata().contains("polder.step"), "'", path,
                      "' is one worker's part of a checkpoint: give the folder with its manifest.json instead");
  const io::metadata_map& texts = file.metadata();
  source found{.name = path,
               .model = text_or_empty(texts, "model"),
               .dataset = text_or_empty(texts, "dataset"),
               .images = text_or_empty(texts, "training images"),
               .seed = number_in<std::uint64_t>(text_or_empty(texts, "seed"))};
  found.paths.push_back(path);
  found.files.push_back(std::move(file));
  return found;
}

/// What the manifest of a checkpoint folder says.
struct manifest {
  io::json configuration{};
  std::string hash{};
  std::uint64_t workers = 0;
  std::vector<std::uint64_t> steps{};  // ascending

  [[nodiscard]] std::string option(std::string_view name) const {
    const io::json* const value = configuration.find(name);
    const auto* const word = value != nullptr ? value->get_if<std::string>() : nullptr;
    return word != nullptr ? *word : std::string();
  }
};

manifest read_manifest(const std::string& folder) {
  const std::string path = io::join_path(folder, "manifest.json");
  require<usage_error>(io::is_file(path), "MODEL ", folder,
                       ": there is no manifest.json in it; allowed: a folder of polder-train --checkpoint");
  const io::bytes content = io::read_file(path);
  const io::json all = io::parse_json(io::as_text(content), path);
  const auto word = [&](std::string_view key) {
    const io::json* const value = all.find(key);
    const auto* const found = value != nullptr ? value->get_if<std::string>() : nullptr;
    return found != nullptr ? *found : std::string();
  };
  require<data_error>(word("format") == "polder checkpoint 1", "'", path,
                      "' is no manifest of this version of polder: train anew, or use the polder that wrote it");
  const io::json* const listed = all.find("steps");
  const auto* const steps = listed != nullptr ? listed->get_if<io::json::array>() : nullptr;
  const io::json* const workers = all.find("workers");
  const io::json* const configuration = all.find("configuration");
  require<data_error>(steps != nullptr && workers != nullptr && configuration != nullptr, "'", path,
                      "' is damaged: it lacks steps, workers or configuration");
  manifest found{.configuration = *configuration,
                 .hash = word("configuration_hash"),
                 .workers = workers->as_unsigned().value_or(0)};
  for (const io::json& step : *steps) {
    if (const auto number = step.as_unsigned()) found.steps.push_back(*number);
  }
  std::ranges::sort(found.steps);
  require<data_error>(found.workers >= 1 && !found.steps.empty(), "'", path, "' is damaged: it lists no ",
                      found.workers >= 1 ? "checkpoint" : "worker");
  return found;
}

/// All workers' parts of one checkpoint. Throws data_error if one of them is missing or damaged.
void read_step(source& to, const std::string& folder, const manifest& m, std::uint64_t step) {
  for (std::uint64_t worker = 0; worker < m.workers; ++worker) {
    const std::string path =
        io::join_path(io::join_path(folder, text("step-", step)), text("worker-", worker, ".safetensors"));
    io::safetensors_file file = io::read_safetensors(path);
    for (const auto& [key, expected] : {std::pair<std::string, std::string>("polder.step", text(step)),
                                        {"polder.worker", text(worker)},
                                        {"polder.configuration", m.hash}}) {
      require<data_error>(file.metadata(key) == expected, "'", path, "' says ", key, " ", file.metadata(key),
                          " instead of ", expected, ": it belongs to another checkpoint");
    }
    to.paths.push_back(path);
    to.files.push_back(std::move(file));
  }
  to.step = step;
}

source open_folder(const std::string& folder, const std::optional<std::uint64_t>& step, const teller& say) {
  const manifest m = read_manifest(folder);
  source found{.name = folder,
               .checkpoint = true,
               .model = m.option("--model"),
               .dataset = m.option("--dataset"),
               .images = m.option("training images"),
               .seed = number_in<std::uint64_t>(m.option("--seed")),
               .label_smoothing = number_in<double>(m.option("--label-smoothing")).value_or(0.0),
               .run = m.configuration};
  if (step) {
    std::string there;
    for (const std::uint64_t s : m.steps) there += text(there.empty() ? "" : ", ", s);
    require<usage_error>(std::ranges::find(m.steps, *step) != m.steps.end(), "--step ", *step, ": '", folder,
                         "' has no such checkpoint; allowed: ", there);
    read_step(found, folder, m, *step);
    return found;
  }
  std::string reason;
  for (auto s = m.steps.rbegin(); s != m.steps.rend(); ++s) {
    try {
      read_step(found, folder, m, *s);
      return found;
    } catch (const data_error& e) {
      found.paths.clear();
      found.files.clear();
      reason = e.what();
      say(text("the checkpoint of step ", *s, " cannot be used: ", reason));
    }
  }
  fail<data_error>("no checkpoint in '", folder, "' can be used: ", reason);
}

std::string shape_text(const std::vector<std::size_t>& shape) {
  std::string list;
  for (const std::size_t extent : shape) list += text(list.empty() ? "" : ", ", extent);
  return "(" + list + ")";
}

/// All sources as the workers of one.
source joined(std::vector<source> parts, const options& o, const teller& say) {
  source all = std::move(parts.front());
  const auto said = [](const std::string& name, const char* nothing) { return name.empty() ? nothing : name; };
  for (std::size_t i = 1; i < parts.size(); ++i) {
    source& next = parts[i];
    // What the user names is not for the files to say.
    require<usage_error>(!o.model.empty() || next.model == all.model, "--together: '", all.paths.front(), "' holds ",
                         said(all.model, "a network without a name"), " and '", next.name, "' ",
                         said(next.model, "a network without a name"),
                         "; allowed: models of one network, or --model for all of them");
    require<usage_error>(!o.dataset.empty() || next.dataset == all.dataset, "--together: '", all.paths.front(),
                         "' was trained on ", said(all.dataset, "images without a name"), " and '", next.name, "' on ",
                         said(next.dataset, "images without a name"),
                         "; allowed: models of one data set, or --dataset for all of them");
    if (!next.images.empty() && !all.images.empty() && next.images != all.images) {
      say(text("--together: '", next.name, "' was trained on other images than '", all.paths.front(),
               "': they are hardly the workers of one run."));
    }
    if (next.seed != all.seed) all.seed.reset();
    all.paths.push_back(std::move(next.paths.front()));
    all.files.push_back(std::move(next.files.front()));
  }
  all.name = text(all.name, " and ", parts.size() - 1, " more");
  return all;
}

/// Reads vectors as long as the parameters from the files of a source.
class vector_reader {
 public:
  vector_reader(const source& from, const layout& tensors, const std::string& model, bool named)
      : from_(from), tensors_(tensors), model_(model), named_(named) {}

  /// In a checkpoint the parameters are a vector among others; elsewhere the tensors have their own names.
  [[nodiscard]] std::string name_of(std::string_view vector, const tensor_info& tensor) const {
    if (!from_.checkpoint) return tensor.name;
    return tensors_.tensors().size() < 2 ? std::string(vector) : text(vector, ".", tensor.name);
  }
  [[nodiscard]] bool has(std::string_view vector) const {
    return from_.files.front().contains(name_of(vector, tensors_.tensors().front()));
  }
  [[nodiscard]] std::vector<float> read(std::string_view vector, std::size_t worker) const {
    const io::safetensors_file& file = from_.files[worker];
    const std::string& path = from_.paths[worker];
    std::vector<float> x(tensors_.size());
    for (const tensor_info& tensor : tensors_.tensors()) {
      const std::string name = name_of(vector, tensor);
      if (!file.contains(name)) misfit("'", path, "' has no tensor '", name, "', which ", model_, " has");
      const io::tensor_entry& entry = file.tensor(name);
      if (entry.shape != tensor.shape) {
        misfit("tensor '", name, "' of '", path, "' is ", shape_text(entry.shape), ", that of ", model_,
               " on these images ", shape_text(tensor.shape));
      }
      require<data_error>(entry.type == io::dtype::f32, "tensor '", name, "' of '", path, "' holds ",
                          io::info_of(entry.type).name, " numbers: write them as F32, as polder-train --export does");
      std::ranges::copy(file.get<float>(name, tensor.size()), x.begin() + static_cast<std::ptrdiff_t>(tensor.offset));
      const auto numbers = std::span<const float>(x).subspan(tensor.offset, tensor.size());
      require<data_error>(std::ranges::all_of(numbers, [](float number) { return std::isfinite(number); }), "tensor '",
                          name, "' of '", path, "' holds numbers that are not finite: the run had diverged");
    }
    return x;
  }
  [[nodiscard]] std::vector<std::vector<float>> read_all(std::string_view vector) const {
    std::vector<std::vector<float>> all;
    for (std::size_t worker = 0; worker < from_.files.size(); ++worker) all.push_back(read(vector, worker));
    return all;
  }
  /// A file that is no checkpoint holds the network and nothing else.
  void check_no_more() const {
    if (from_.checkpoint) return;
    for (std::size_t worker = 0; worker < from_.files.size(); ++worker) {
      for (const io::tensor_entry& entry : from_.files[worker].tensors()) {
        const bool known = std::ranges::any_of(tensors_.tensors(), [&](const auto& t) { return t.name == entry.name; });
        if (!known) misfit("'", from_.paths[worker], "' has a tensor '", entry.name, "', which ", model_, " has not");
      }
    }
  }

 private:
  template <class... Pieces>
  [[noreturn]] void misfit(const Pieces&... pieces) const {
    if (named_ || from_.model.empty()) {
      fail<usage_error>("--model ", model_, ": ", pieces...,
                        "; allowed: the --model and --dataset it was trained with");
    }
    fail<data_error>(pieces..., ": it was trained on other images (--dataset, --data) or written by another program");
  }

  const source& from_;
  const layout& tensors_;
  const std::string& model_;
  bool named_;
};

/// The vector of a checkpoint whose mean over the workers is the model that the run evaluates, as the mixing rules have it
/// (averaged_in_time, elastic_center), and what that is; nothing where it is the parameters.
std::optional<std::pair<std::string_view, std::string_view>> evaluated_vector(const source& from,
                                                                              const vector_reader& reader) {
  if (!from.checkpoint) return std::nullopt;
  constexpr std::string_view average = "mixing.time_average", samples = "mixing.time_average.samples";
  constexpr std::string_view center = "mixing.elastic_center";
  // An average in time without a sample is not looked at, nor what it is the average of.
  if (reader.has(average)) {
    const bool begun = from.files.front().get<std::uint64_t>(samples, 1).front() > 0;
    return begun ? std::optional(std::pair(average, std::string_view("average in time of all workers"))) : std::nullopt;
  }
  if (reader.has(center)) return std::pair(center, std::string_view("elastic center"));
  return std::nullopt;
}

}  // namespace

std::vector<source> open_sources(const options& o, const teller& say) {
  std::vector<source> found;
  for (const std::string& input : o.inputs) {
    std::error_code unknown;
    const bool folder = std::filesystem::is_directory(input, unknown);
    require<usage_error>(folder || io::is_file(input), "MODEL ", input.empty() ? "''" : input,
                         ": there is no such file or folder; allowed: a file of polder-train --export, or a folder of "
                         "its --checkpoint");
    require<usage_error>(!folder || !o.together, "--together: ", input,
                         " is a folder; allowed with files of polder-train --export");
    require<usage_error>(folder || !o.step, "--step ", o.step.value_or(0), ": ", input,
                         " is a file; allowed with folders of polder-train --checkpoint");
    found.push_back(folder ? open_folder(input, o.step, say) : open_file(input));
  }
  if (o.together) {
    std::vector<source> one;
    one.push_back(joined(std::move(found), o, say));
    return one;
  }
  return found;
}

std::vector<float> mean_of(const std::vector<std::vector<float>>& workers) {
  std::vector<float> mean(workers.front().size());
  for (std::size_t i = 0; i < mean.size(); ++i) {
    double sum = 0.0;
    for (const std::vector<float>& x : workers) sum += static_cast<double>(x[i]);
    mean[i] = static_cast<float>(sum / static_cast<double>(workers.size()));
  }
  return mean;
}

parameters parameters_of(const source& from, const layout& tensors, const std::string& model, bool named,
                         bool evaluated) {
  const vector_reader reader(from, tensors, model, named);
  parameters found{.workers = reader.read_all("x")};
  reader.check_no_more();
  if (const auto apart = evaluated ? evaluated_vector(from, reader) : std::nullopt) {
    found.model = mean_of(reader.read_all(apart->first));
    found.measured = apart->second;
  } else {
    found.model = mean_of(found.workers);
    found.measured = from.files.size() == 1 ? "the only one" : "mean of all workers";
  }
  return found;
}

}  // namespace polder_sharpness
