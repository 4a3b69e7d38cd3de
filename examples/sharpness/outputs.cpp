#include "sharpness/outputs.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"
#include "sharpness/pictures.hpp"
#include "train/images.hpp"
#include "train/paths.hpp"
#include "train/usage_error.hpp"

namespace polder_sharpness {
namespace {

namespace fs = std::filesystem;
using polder::require;
using polder_train::usage_error;

/// A file that is written, and the option that asks for it.
struct output {
  const char* option;
  std::string path;
};

std::vector<output> outputs_of(const options& o) {
  std::vector<output> all;
  if (!o.json.empty()) all.push_back({"--json", o.json});
  for (const output& picture : {output{"--spectrum", o.spectrum}, {"--landscape", o.landscape}}) {
    if (picture.path.empty()) continue;
    require<usage_error>(picture.path.ends_with(".svg") && fs::path(picture.path).filename() != ".svg", picture.option,
                         " ", picture.path, ": allowed: a name that ends with .svg");
    all.push_back(picture);
    all.push_back({picture.option, csv_beside(picture.path)});
  }
  return all;
}

/// Whether two paths lead to one file, which need not be there yet.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code unknown;
  if (fs::equivalent(a, b, unknown)) return true;
  const auto whole = [](const std::string& path) {
    std::error_code failed;
    const fs::path shortest = fs::weakly_canonical(fs::absolute(path, failed), failed);
    return failed ? fs::path(path) : shortest;
  };
  return whole(a) == whole(b);
}

/// The files that are read: models, the parts of checkpoints, and what lies in the folder of the images under such names.
std::vector<std::string> inputs_of(const options& o) {
  std::vector<std::string> all;
  const auto add_folder = [&](const std::string& folder, const auto& is_read) {
    std::error_code failed;
    for (fs::recursive_directory_iterator file(folder, failed), end; !failed && file != end; file.increment(failed)) {
      if (is_read(file->path().filename().string())) all.push_back(file->path().string());
    }
  };
  for (const std::string& input : o.inputs) {
    std::error_code unknown;
    if (fs::is_directory(input, unknown)) {
      add_folder(input,
                 [](std::string_view name) { return name == "manifest.json" || name.ends_with(".safetensors"); });
    } else {
      all.push_back(input);
    }
  }
  for (const std::string& folder : polder_train::image_folders(o.data)) {
    add_folder(folder, [](std::string_view name) {
      for (const std::string_view packed : {".gz", ".xz"}) {
        if (name.ends_with(packed)) name.remove_suffix(packed.size());
      }
      return name.ends_with("-ubyte") || name.ends_with(".bin") || name.ends_with(".npy") || name == "train.csv" ||
             name == "test.csv" || name.starts_with("optdigits-");
    });
    // A picture's .csv would be taken before the packed one.
    for (const std::string_view name : {"optdigits-train.csv", "optdigits-test.csv"}) {
      all.push_back(polder::io::join_path(folder, name));
    }
  }
  return all;
}

}  // namespace

void check_outputs(const options& o) {
  const std::vector<output> outputs = outputs_of(o);
  for (const output& file : outputs) polder_train::check_file(file.option, file.path);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      require<usage_error>(!same_file(outputs[i].path, outputs[j].path), outputs[i].option, ": would write ",
                           outputs[i].path, ", which ", outputs[j].option, " writes; allowed: a file for each");
    }
  }
  for (const std::string& input : outputs.empty() ? std::vector<std::string>() : inputs_of(o)) {
    for (const output& file : outputs) {
      require<usage_error>(!same_file(file.path, input), file.option, ": would replace ", file.path,
                           ", which is read; allowed: another file");
    }
  }
}

}  // namespace polder_sharpness
