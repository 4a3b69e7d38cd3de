// polder — checkpoints: a run that was killed goes on as if nothing had happened.
//
//     DIR/manifest.json                        the run's configuration and its good checkpoints, replaced as a whole
//     DIR/step-N/worker-R.safetensors          all that worker R knew after N steps
//     DIR/step-N.tmp/                          one that is being written, or was when the run was killed
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/comm/communicator.hpp"
#include "polder/core/error.hpp"
#include "polder/io/checksum.hpp"
#include "polder/io/file.hpp"
#include "polder/io/json.hpp"
#include "polder/io/json_parse.hpp"
#include "polder/io/safetensors.hpp"
#include "polder/train/checkpoint_parts.hpp"

namespace polder {

/// All that decides the numbers of a run, as named values: a checkpoint is good for this and nothing else.
class run_configuration {
 public:
  template <class Value>
  void add(std::string name, const Value& value) {
    if constexpr (std::is_floating_point_v<Value>) {
      // As many digits as tell it from its neighbors: another learning rate is another run.
      char digits[40];
      const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
      values_.emplace_back(std::move(name), std::string(digits, end));
    } else {
      values_.emplace_back(std::move(name), text(value));
    }
  }
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& values() const& { return values_; }
  void values() const&& = delete;  // would dangle in a range-for
  [[nodiscard]] std::string hash() const {
    std::string all;
    for (const auto& [name, value] : values_) all += text(name.size(), ':', name, '=', value.size(), ':', value, '\n');
    return io::hex64(io::checksum64(io::as_bytes(all)));
  }

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

/// What a resumed run is told.
struct resumed {
  std::uint64_t step = 0;             ///< steps that are done
  std::vector<std::string> warnings;  ///< a sentence for each newer checkpoint that could not be used
};

/// The checkpoints of one run in one folder; the last two are kept.
///
/// `save` is all or nothing: each worker writes its part into `step-N.tmp`, all agree, worker 0 renames the folder and
/// replaces the manifest. A process that is killed anywhere in between leaves the older checkpoints as they were.
/// All workers call the same members in the same order, with the folder on a file system that all of them see.
/// Bytes of a checkpoint: the parameters and the states of all parts, once per worker. Nothing of it is counted as sent.
/// Errors: data_error if a file cannot be written or none can be used, config_error if the folder holds another run; the
/// same sentence on every worker.
class checkpoint_folder {
 public:
  checkpoint_folder(std::string folder, run_configuration configuration)
      : folder_(std::move(folder)), configuration_(std::move(configuration)) {}

  [[nodiscard]] const std::string& path() const { return folder_; }
  /// Whether a run has left checkpoints here.
  [[nodiscard]] bool holds_run() const { return io::is_file(manifest_path()); }

  /// Begins a new run here; refuses a folder that holds one.
  template <communicator C>
  void begin(C& comm) {
    const bool taken = holds_run();
    detail::on_all(uncounted(comm), [&] {
      require<config_error>(!taken, "'", folder_,
                            "' holds the checkpoints of another run: give another folder, or resume "
                            "that run");
      detail::make_folder(folder_);
    });
    kept_.clear();
  }

  /// Saves the worker and `extra`, any object with `visit(visitor)`.
  template <class Worker, class Extra>
  void save(Worker& worker, Extra& extra) {
    auto& comm = uncounted(worker.comm());
    const std::uint64_t step = worker.steps();
    const std::string unfinished = step_folder(step) + ".tmp";
    detail::on_all(comm, [&] {
      if (comm.rank() != 0) return;
      detail::remove_folder(unfinished);
      detail::make_folder(unfinished);
    });
    detail::on_all(comm, [&] {
      detail::state_writer writer(worker.backend(), worker.tensors());
      worker.visit(writer);
      extra.visit([&](const std::string& name, auto& number) { writer("run." + name, number); });
      for (auto& [key, value] : labels(step, comm.rank())) writer.file.metadata(std::move(key), std::move(value));
      writer.file.write(part(unfinished, comm.rank()));
    });
    std::erase_if(kept_, [&](std::uint64_t other) { return other >= step; });
    kept_.push_back(step);
    if (kept_.size() > 2) kept_.erase(kept_.begin(), kept_.end() - 2);
    detail::on_all(comm, [&] {
      if (comm.rank() == 0) publish(step, unfinished, comm.size());
    });
  }

  /// Brings a newly made worker and `extra` to the newest checkpoint that is whole on all workers.
  template <class Worker, class Extra>
  resumed resume(Worker& worker, Extra& extra) {
    auto& comm = uncounted(worker.comm());
    std::vector<std::uint64_t> steps;
    detail::on_all(comm, [&] { steps = read_manifest(comm.size()); });
    resumed result;
    for (; !steps.empty(); steps.pop_back()) {
      std::optional<io::safetensors_file> file;
      const detail::problem problem = detail::try_all(comm, [&] { file = open(steps.back(), worker, extra); });
      if (!problem.exists()) {
        fill(worker, extra, *file);
        kept_ = steps;
        result.step = steps.back();
        return result;
      }
      result.warnings.push_back(text("the checkpoint of step ", steps.back(), " cannot be used: ", problem.what()));
    }
    fail<data_error>("no checkpoint in '", folder_, "' can be used", result.warnings.empty() ? "" : ": ",
                     result.warnings.empty() ? "" : result.warnings.back());
  }

 private:
  [[nodiscard]] std::string manifest_path() const { return io::join_path(folder_, "manifest.json"); }
  [[nodiscard]] std::string step_folder(std::uint64_t step) const {
    return io::join_path(folder_, text("step-", step));
  }
  [[nodiscard]] static std::string part(const std::string& folder, int rank) {
    return io::join_path(folder, text("worker-", rank, ".safetensors"));
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> labels(std::uint64_t step, int rank) const {
    return {
        {"polder.step", text(step)}, {"polder.worker", text(rank)}, {"polder.configuration", configuration_.hash()}};
  }

  void publish(std::uint64_t step, const std::string& unfinished, int workers) const {
    const std::string finished = step_folder(step);
    detail::remove_folder(finished);
    if (std::rename(unfinished.c_str(), finished.c_str()) != 0) io::fail_with_errno("rename", unfinished);
    io::sync_folder(folder_);
    io::json values = io::json::object();
    for (const auto& [name, value] : configuration_.values()) values[name] = value;
    const io::json manifest{{"format", "polder checkpoint 1"},
                            {"workers", workers},
                            {"configuration_hash", configuration_.hash()},
                            {"configuration", values},
                            {"steps", io::json::array_of(kept_)}};
    io::write_file(manifest_path(), manifest.dump() + "\n");
    for (const std::string& name : detail::names_in(folder_)) {
      const auto other = detail::step_of(name);
      const bool wanted =
          other && !name.ends_with(".tmp") && std::find(kept_.begin(), kept_.end(), *other) != kept_.end();
      if (other && !wanted) detail::remove_folder(io::join_path(folder_, name));
    }
  }

  /// The steps of the manifest, ascending; refuses another configuration and names what differs.
  [[nodiscard]] std::vector<std::uint64_t> read_manifest(int workers) const {
    const std::string path = manifest_path();
    require<data_error>(io::is_file(path), "there is no checkpoint in '", folder_, "': it has no manifest.json");
    const io::bytes content = io::read_file(path);
    const io::json manifest = io::parse_json(io::as_text(content), path);
    const auto text_of = [&](std::string_view key) {
      const auto* const value = manifest.at(key).template get_if<std::string>();
      require<data_error>(value != nullptr, "'", path, "': ", key, " is no text");
      return *value;
    };
    require<data_error>(text_of("format") == "polder checkpoint 1", "'", path,
                        "' is no manifest of this version of polder");
    if (text_of("configuration_hash") != configuration_.hash()) {
      fail<config_error>("the checkpoints in '", folder_,
                         "' are of another run: ", differences(manifest.at("configuration")));
    }
    const auto made_by = manifest.at("workers").as_unsigned();
    require<config_error>(made_by == static_cast<std::uint64_t>(workers), "the checkpoints in '", folder_, "' are of ",
                          made_by.value_or(0), " workers, not ", workers);
    std::vector<std::uint64_t> steps;
    const auto* const listed = manifest.at("steps").get_if<io::json::array>();
    for (std::size_t i = 0; listed != nullptr && i < listed->size(); ++i) {
      if (const auto step = (*listed)[i].as_unsigned()) steps.push_back(*step);
    }
    std::sort(steps.begin(), steps.end());
    return steps;
  }

  [[nodiscard]] std::string differences(const io::json& stored) const {
    std::string list;
    const auto differs = [&list](const std::string& name, const std::string& was, const std::string& is) {
      list += text(list.empty() ? "" : ", ", name, " was ", was, " and is ", is);
    };
    io::json own = io::json::object();
    for (const auto& [name, value] : configuration_.values()) {
      own[name] = value;
      const io::json* const old = stored.find(name);
      const auto* const was = old != nullptr ? old->get_if<std::string>() : nullptr;
      if (was == nullptr || *was != value) differs(name, was != nullptr ? *was : "not set", value);
    }
    const auto* const members = stored.get_if<io::json::object>();
    for (std::size_t i = 0; members != nullptr && i < members->size(); ++i) {
      const auto& [name, value] = (*members)[i];
      const auto* const was = value.get_if<std::string>();
      if (was != nullptr && own.find(name) == nullptr) differs(name, *was, "not set");
    }
    return list.empty() ? "its configuration has other options" : list;
  }

  template <class Worker, class Extra>
  io::safetensors_file open(std::uint64_t step, Worker& worker, Extra& extra) const {
    const std::string path = part(step_folder(step), worker.rank());
    io::safetensors_file file = io::read_safetensors(path);
    require<data_error>(file.metadata().contains(io::checksum_key), "'", path, "' has no check sum");
    for (const auto& [key, value] : labels(step, worker.rank())) {
      require<data_error>(file.metadata(key) == value, "'", path, "' says ", key, " ", file.metadata(key),
                          " instead of ", value);
    }
    detail::state_checker checker(worker.tensors(), file);
    if (holds_anchor(file)) checker("anchor", worker.x());
    worker.visit(checker);
    extra.visit([&](const std::string& name, auto& number) { checker("run." + name, number); });
    return file;
  }

  template <class Worker, class Extra>
  static void fill(Worker& worker, Extra& extra, const io::safetensors_file& file) {
    detail::state_reader reader(worker.backend(), worker.tensors(), file);
    worker.visit(reader, true, holds_anchor(file));
    extra.visit([&](const std::string& name, auto& number) { reader("run." + name, number); });
  }

  /// Whether the file was written inside a round that keeps its start.
  [[nodiscard]] static bool holds_anchor(const io::safetensors_file& file) {
    return std::any_of(file.tensors().begin(), file.tensors().end(), [](const io::tensor_entry& tensor) {
      return tensor.name == "anchor" || tensor.name.starts_with("anchor.");
    });
  }

  std::string folder_;
  run_configuration configuration_;
  std::vector<std::uint64_t> kept_;
};

}  // namespace polder
