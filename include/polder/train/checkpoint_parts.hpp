// polder — the pieces of a checkpoint: acting together, folders, and the visitors that read and write a worker's state.
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
#include "polder/io/file.hpp"
#include "polder/io/safetensors.hpp"
#include "polder/io/safetensors_writer.hpp"
#include "polder/train/metrics.hpp"

namespace polder::detail {

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

}  // namespace polder::detail
