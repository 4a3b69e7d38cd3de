// polder — checkpoints: a run that was killed goes on as if nothing had happened.
//
//     DIR/manifest.json                        the run's configuration and its good checkpoints, replaced as a whole
//     DIR/step-N/worker-R.safetensors          all that worker R knew after N steps
//     DIR/step-N.tmp/                          one that is being written, or was when the run was killed
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/comm/communicator.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/view.hpp"
#include "polder/io/checksum.hpp"
#include "polder/io/file.hpp"
#include "polder/io/json.hpp"
#include "polder/io/json_parse.hpp"
#include "polder/io/safetensors.hpp"
#include "polder/train/metrics.hpp"

namespace polder {

/// All that decides the numbers of a run, as named values: a checkpoint is good for this and nothing else.
class run_configuration {
 public:
  template <class Value>
  void add(std::string name, const Value& value) {
    values_.emplace_back(std::move(name), text(value));
  }
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& values() const { return values_; }
  [[nodiscard]] std::string hash() const {
    std::string all;
    for (const auto& [name, value] : values_) all += text(name, '=', value, '\n');
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

namespace detail {

/// What went wrong on a worker, in the form in which workers tell each other.
struct problem {
  bool of_configuration = false;
  std::array<char, 511> sentence{};

  problem() = default;
  problem(std::string_view what, bool configuration) : of_configuration(configuration) {
    std::copy_n(what.begin(), std::min(what.size(), sentence.size() - 1), sentence.begin());
  }
  [[nodiscard]] bool exists() const { return sentence.front() != '\0'; }
  [[nodiscard]] std::string what() const { return sentence.data(); }
};

/// Runs `action` on every worker; what went wrong on the lowest rank that failed, known to all of them.
template <communicator C, class Action>
[[nodiscard]] problem try_all(C& comm, Action&& action) {
  problem mine;
  try {
    action();
  } catch (const config_error& e) {
    mine = problem(e.what(), true);
  } catch (const error& e) {
    mine = problem(e.what(), false);
  }
  for (const problem& other : gather(comm, mine)) {
    if (other.exists()) return other;
  }
  return {};
}
/// The same; where it failed on one worker, all throw that worker's sentence.
template <communicator C, class Action>
void on_all(C& comm, Action&& action) {
  const problem first = try_all(comm, action);
  if (first.exists() && first.of_configuration) fail<config_error>(first.what());
  if (first.exists()) fail<data_error>(first.what());
}

inline void make_folder(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    ::mkdir(path.substr(0, slash).c_str(), 0777);
  }
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) io::fail_with_errno("create folder", path);
}
[[nodiscard]] inline std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(folder.c_str()), ::closedir);
  while (listing != nullptr) {
    const dirent* const entry = ::readdir(listing.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}
/// Removes the files of a folder and the folder; one that is not there is fine.
inline void remove_folder(const std::string& path) {
  for (const std::string& name : names_in(path)) ::unlink(io::join_path(path, name).c_str());
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) io::fail_with_errno("remove folder", path);
}
/// The N of "step-N" and "step-N.tmp".
[[nodiscard]] inline std::optional<std::uint64_t> step_of(std::string_view name) {
  if (!name.starts_with("step-")) return std::nullopt;
  name.remove_prefix(5);
  std::uint64_t step = 0;
  const auto end = std::from_chars(name.data(), name.data() + name.size(), step);
  const std::string_view rest(end.ptr, static_cast<std::size_t>(name.data() + name.size() - end.ptr));
  return end.ec == std::errc{} && (rest.empty() || rest == ".tmp") ? std::optional(step) : std::nullopt;
}

/// Calls each(name, part of the view) for the tensors of a vector as long as the parameters, so that files show the
/// model's own names; each(name, view) for any other vector.
template <class Space, class T, class Each>
void for_tensors(const layout& tensors, const std::string& name, view<Space, T> vector, Each&& each) {
  if (vector.size != tensors.size() || tensors.tensors().size() < 2) {
    each(name, vector, std::vector<std::size_t>{vector.size});
    return;
  }
  for (const tensor_info& tensor : tensors.tensors()) {
    each(text(name, '.', tensor.name), vector.part(tensor.offset, tensor.size()), tensor.shape);
  }
}

/// The visitor that collects a worker's state for a file.
template <class B>
class state_writer {
 public:
  state_writer(const B& backend, const layout& tensors) : backend_(backend), tensors_(tensors) {}

  template <class Value>
  void operator()(const std::string& name, Value&& value) {
    using plain = std::remove_cvref_t<Value>;
    if constexpr (std::is_arithmetic_v<plain>) {
      static_assert(std::is_lvalue_reference_v<Value>, "a state's visit must pass numbers by reference");
      file.add(name, std::span<const plain>(&value, 1), {});
    } else {
      for_tensors(tensors_, name, value.as_const(), [&](std::string part, auto numbers, auto shape) {
        file.add(std::move(part), on_host(numbers), std::move(shape));
      });
    }
  }

  io::safetensors_writer file;

 private:
  template <class Space, class T>
  std::span<const T> on_host(view<Space, const T> numbers) {
    if constexpr (std::is_same_v<Space, host_space>) {
      return numbers;
    } else {
      auto copy = std::make_shared<std::vector<T>>(numbers.size);
      backend_.to_host(numbers, std::span<T>(*copy));
      kept_.push_back(copy);
      return *copy;
    }
  }

  const B& backend_;
  const layout& tensors_;
  std::vector<std::shared_ptr<void>> kept_;
};

/// The visitor that fills a worker's state from a file.
template <class B>
class state_reader {
 public:
  state_reader(const B& backend, const layout& tensors, const io::safetensors_file& file)
      : backend_(backend), tensors_(tensors), file_(file) {}

  template <class Value>
  void operator()(const std::string& name, Value&& value) {
    using plain = std::remove_cvref_t<Value>;
    if constexpr (std::is_arithmetic_v<plain>) {
      value = file_.get<plain>(name, 1).front();
    } else {
      for_tensors(tensors_, name, value, [&](const std::string& part, auto numbers, const auto&) {
        backend_.from_host(file_.get<typename plain::value_type>(part, numbers.size), numbers);
      });
    }
  }

 private:
  const B& backend_;
  const layout& tensors_;
  const io::safetensors_file& file_;
};

/// The visitor that looks whether a file has all of a worker's state, and changes nothing.
class state_checker {
 public:
  state_checker(const layout& tensors, const io::safetensors_file& file) : tensors_(tensors), file_(file) {}

  template <class Value>
  void operator()(const std::string& name, Value&& value) {
    using plain = std::remove_cvref_t<Value>;
    if constexpr (std::is_arithmetic_v<plain>) {
      (void)file_.get<plain>(name, 1);
    } else {
      for_tensors(tensors_, name, value, [&](const std::string& part, auto numbers, const auto&) {
        (void)file_.get<typename plain::value_type>(part, numbers.size);
      });
    }
  }

 private:
  const layout& tensors_;
  const io::safetensors_file& file_;
};

}  // namespace detail

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
      require<config_error>(!taken, "'", folder_, "' holds the checkpoints of another run: give another folder, or resume "
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
  [[nodiscard]] std::string step_folder(std::uint64_t step) const { return io::join_path(folder_, text("step-", step)); }
  [[nodiscard]] static std::string part(const std::string& folder, int rank) {
    return io::join_path(folder, text("worker-", rank, ".safetensors"));
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> labels(std::uint64_t step, int rank) const {
    return {{"polder.step", text(step)}, {"polder.worker", text(rank)}, {"polder.configuration", configuration_.hash()}};
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
      const bool wanted = other && !name.ends_with(".tmp") && std::find(kept_.begin(), kept_.end(), *other) != kept_.end();
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
    require<data_error>(text_of("format") == "polder checkpoint 1", "'", path, "' is no manifest of this version of polder");
    if (text_of("configuration_hash") != configuration_.hash()) {
      fail<config_error>("the checkpoints in '", folder_, "' are of another run: ", differences(manifest.at("configuration")));
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
    for (const auto& [name, value] : configuration_.values()) {
      const io::json* const old = stored.find(name);
      const auto* const was = old != nullptr ? old->get_if<std::string>() : nullptr;
      if (was != nullptr && *was == value) continue;
      list += text(list.empty() ? "" : ", ", name, " was ", was != nullptr ? *was : "not set", " and is ", value);
    }
    return list.empty() ? "its configuration has other options" : list;
  }

  template <class Worker, class Extra>
  io::safetensors_file open(std::uint64_t step, Worker& worker, Extra& extra) const {
    const std::string path = part(step_folder(step), worker.rank());
    io::safetensors_file file = io::read_safetensors(path);
    require<data_error>(file.metadata().contains(io::checksum_key), "'", path, "' has no check sum");
    for (const auto& [key, value] : labels(step, worker.rank())) {
      require<data_error>(file.metadata(key) == value, "'", path, "' says ", key, " ", file.metadata(key), " instead of ",
                          value);
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
