#include "train/report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/io/checksum.hpp"
#include "polder/io/file.hpp"
#include "polder/io/json_lines.hpp"
#include "polder/io/json_parse.hpp"
#include "polder/io/report.hpp"
#include "polder/io/svg.hpp"
#include "polder/train/checkpoint.hpp"
#include "train/records.hpp"

namespace polder_train {
namespace {

using namespace polder;
using io::json;

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// A finished run as it lies in the folder.
struct run {
  std::uint64_t number = 0;  // order in which runs came
  std::string label;
  std::string setting;  // what runs must share to be compared in one picture,
  std::string details;  // in a few words and in full
  std::vector<std::string> options;
  json summary;
  std::vector<json> curve;

  [[nodiscard]] double value(std::string_view key) const { return summary.at(key).as_double().value_or(unknown); }
  /// How far the workers are from each other in units of their parameters' norm.
  [[nodiscard]] double relative_width() const {
    return curve.empty() ? unknown
                         : value("valley_width") / curve.back().at("parameter_norm").as_double().value_or(unknown);
  }
};

/// The label, where it can be the name of a file; else what is left of it and a check sum, for "a b" is not "a/b".
std::string file_name(const std::string& label) {
  constexpr std::size_t longest = 100;
  std::string name;
  for (const char c : label) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    name += plain ? c : '-';
  }
  if (name == label && name.size() <= longest) return name;
  return text(name.substr(0, longest), '-', io::hex64(io::checksum64(io::as_bytes(label))).substr(0, 8));
}

std::string setting_of(const options& o) { return text(o.model, " on ", o.dataset, ", ", o.workers, " workers"); }
std::string details_of(const options& o) {
  return text("Images shared out: ", o.partition, o.augment == "none" ? "" : text("; augmented: ", o.augment), ". ",
              o.epochs, " epochs", o.train_limit == 0 ? "" : text(" of ", o.train_limit, " images"), ", batches of ",
              o.batch, " per worker, seed ", o.seed,
              o.test_limit == 0 ? "" : text(", tried on ", o.test_limit, " test images"), ".");
}

run read_run(const std::string& path) {
  const io::bytes content = io::read_file(path);
  const json stored = io::parse_json(io::as_text(content), path);
  const auto text_of = [&](std::string_view key) {
    const auto* const value = stored.at(key).get_if<std::string>();
    require<data_error>(value != nullptr, "'", path, "': ", key, " is no text");
    return *value;
  };
  run r;
  r.number = stored.at("number").as_unsigned().value_or(0);
  r.label = text_of("label");
  r.setting = text_of("setting");
  r.details = text_of("details");
  if (const auto* const members = stored.at("options").get_if<json::object>()) {
    for (const auto& [name, value] : *members) {
      const auto* const as_text = value.get_if<std::string>();
      if (as_text != nullptr) r.options.push_back(text(name, ' ', *as_text));
    }
  }
  r.summary = stored.at("summary");
  r.curve = io::read_json_lines(path + "l");
  for (const char* const key : {"accuracy_mean_model", "accuracy_worker_mean", "consensus_distance", "valley_width",
                                "bytes_sent_per_worker", "seconds", "samples_per_second"}) {
    (void)r.summary.at(key);
  }
  for (const json& point : r.curve) {
    for (const char* const key : {"epoch", "accuracy_mean_model", "accuracy_worker_mean", "consensus_distance",
                                  "train_loss", "bytes_sent_per_worker", "parameter_norm"}) {
      (void)point.at(key);
    }
  }
  return r;
}

/// The finished runs of a folder but for those of one label.
std::vector<run> read_other_runs(const std::string& folder, const std::string& label,
                                 const std::function<void(const std::string&)>& warn) {
  std::vector<run> runs;
  std::vector<std::string> names = polder::detail::names_in(folder);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (!name.ends_with(".json") || name == file_name(label) + ".json") continue;
    const std::string path = io::join_path(folder, name);
    try {
      run other = read_run(path);
      if (other.label != label) runs.push_back(std::move(other));
    } catch (const error& e) {
      warn(text("'", path, "' is left out of the report: ", e.what()));
    }
  }
  return runs;
}

/// The runs of each setting, in the order in which they came.
std::vector<std::vector<run>> grouped(std::vector<run> runs) {
  std::vector<std::vector<run>> groups;
  for (run& r : runs) {
    const auto same = [&](const std::vector<run>& group) {
      return group.front().setting == r.setting && group.front().details == r.details;
    };
    const auto found = std::find_if(groups.begin(), groups.end(), same);
    if (found == groups.end()) {
      groups.push_back({std::move(r)});
    } else {
      found->push_back(std::move(r));
    }
  }
  return groups;
}

/// A column of the table: its heading and what it shows of a run.
struct column {
  std::string heading;
  std::function<std::string(const run&)> cell;
};
const std::vector<column>& columns() {
  const auto percent = [](double share) { return std::isfinite(share) ? fixed(100.0 * share, 2) : std::string("–"); };
  const auto number = [](double value, int digits) {
    return std::isfinite(value) ? fixed(value, digits) : std::string("–");
  };
  const auto distance = [=](double value) {  // three digits that count, wherever they stand
    const double power = value > 0.0 ? std::floor(std::log10(value)) : 0.0;
    return number(value, std::clamp(2 - static_cast<int>(power), 0, 6));
  };
  static const std::vector<column> all{
      {"run", [](const run& r) { return r.label; }},
      {"accuracy of the average, %", [=](const run& r) { return percent(r.value("accuracy_mean_model")); }},
      {"mean of the workers, %", [=](const run& r) { return percent(r.value("accuracy_worker_mean")); }},
      {"consensus distance", [=](const run& r) { return distance(r.value("consensus_distance")); }},
      {"valley width", [=](const run& r) { return distance(r.value("valley_width")); }},
      {"width / norm, %", [=](const run& r) { return percent(r.relative_width()); }},
      {"MB sent per worker", [=](const run& r) { return number(r.value("bytes_sent_per_worker") / 1e6, 1); }},
      {"time, s", [=](const run& r) { return number(r.value("seconds"), 1); }},
      {"samples per s", [=](const run& r) { return number(r.value("samples_per_second"), 0); }},
  };
  return all;
}

std::vector<std::vector<std::string>> cells_of(const std::vector<run>& runs) {
  std::vector<std::vector<std::string>> rows;
  for (const run& r : runs) {
    auto& row = rows.emplace_back();
    for (const column& c : columns()) row.push_back(c.cell(r));
  }
  return rows;
}

/// The letters of a text; all of them count as one column on a terminal.
std::size_t length(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// A table for terminals: headings broken over two lines, numbers to the right.
std::string plain_table(const std::vector<run>& runs) {
  const auto rows = cells_of(runs);
  std::array<std::string, 3> lines;  // two of headings, one of rules
  std::vector<std::string> body(rows.size());
  for (std::size_t c = 0; c < columns().size(); ++c) {
    const std::string& heading = columns()[c].heading;
    std::size_t cut = heading.size();  // the space nearest to the middle
    for (std::size_t i = 0; i < heading.size(); ++i) {
      const auto off = [&](std::size_t at) {
        return at > heading.size() / 2 ? at - heading.size() / 2 : heading.size() / 2 - at;
      };
      if (heading[i] == ' ' && off(i) < off(cut)) cut = i;
    }
    const std::array<std::string, 2> halves{cut < heading.size() ? heading.substr(0, cut) : "",
                                            cut < heading.size() ? heading.substr(cut + 1) : heading};
    std::size_t width = std::max(length(halves[0]), length(halves[1]));
    for (const auto& row : rows) width = std::max(width, length(row[c]));
    const auto put = [&](std::string& line, const std::string& cell) {
      const std::string space(width - length(cell), ' ');
      line += text(line.empty() ? "" : "  ", c == 0 ? cell : space, c == 0 ? space : cell);
    };
    put(lines[0], halves[0]);
    put(lines[1], halves[1]);
    put(lines[2], std::string(width, '-'));
    for (std::size_t r = 0; r < rows.size(); ++r) put(body[r], rows[r][c]);
  }
  std::string table;
  lines[0].erase(lines[0].find_last_not_of(' ') + 1);
  for (const std::string& line : lines) table += line + "\n";
  for (const std::string& line : body) table += line + "\n";
  return table;
}

/// One curve per run: the log's `y` over its `x`, each scaled.
io::plot curves(const std::vector<run>& runs, std::string title, std::string_view x, double x_scale,
                std::string x_label, std::string_view y, double y_scale, std::string y_label) {
  io::plot picture{.title = std::move(title), .x_label = std::move(x_label), .y_label = std::move(y_label)};
  for (const run& r : runs) {
    io::plot_series series{.name = r.label};
    for (const json& point : r.curve) {
      series.x.push_back(point.at(x).as_double().value_or(unknown) * x_scale);
      series.y.push_back(point.at(y).as_double().value_or(unknown) * y_scale);
    }
    picture.series.push_back(std::move(series));
  }
  return picture;
}

void draw_group(io::html_report& page, const std::vector<run>& runs) {
  std::vector<std::string> headings;
  for (const column& c : columns()) headings.push_back(c.heading);
  page.heading(runs.front().setting);
  page.paragraph(runs.front().details);
  page.table(headings, cells_of(runs), "At the end of the run, on all test images");

  page.figure(
      io::svg(curves(runs, "Test accuracy of the averaged model", "epoch", 1.0, "epoch", "accuracy_mean_model", 100.0,
                     "accuracy, %")),
      "The parameters of all workers are averaged and the result is evaluated; training goes on with the workers' "
      "own.");
  page.figure(io::svg(curves(runs, "Mean test accuracy of the workers' own models", "epoch", 1.0, "epoch",
                             "accuracy_worker_mean", 100.0, "accuracy, %")),
              "What a worker has if the run stops now and nobody averages; during the run tried on some of the test "
              "images, at the "
              "end on all.");
  io::plot distance = curves(runs, "Distance between the workers", "epoch", 1.0, "epoch", "consensus_distance", 1.0,
                             "consensus distance");
  distance.y_scale = io::axis_scale::logarithmic;
  page.figure(io::svg(distance),
              "The root mean square distance of the workers' parameters to their average. A run that "
              "averages in its last step has none.");
  page.figure(io::svg(curves(runs, "Training loss", "epoch", 1.0, "epoch", "train_loss", 1.0, "mean minibatch loss")),
              "The mean loss of the epoch's minibatches, each at the parameters before its step.");
  io::plot sent = curves(runs, "What the accuracy costs", "bytes_sent_per_worker", 1e-6, "MB sent per worker",
                         "accuracy_mean_model", 100.0, "accuracy, %");
  page.figure(io::svg(sent), "Test accuracy of the averaged model over the bytes that a worker has put on the wire.");

  page.subheading("Options");
  std::vector<std::string> lines;
  for (const run& r : runs) {
    std::string line = r.label + ": ";
    for (const std::string& option : r.options) line += text(option, "  ");
    lines.push_back(line);
  }
  page.list(lines);
}

}  // namespace

run_report::run_report(std::string folder, const options& o)
    : folder_(std::move(folder)),
      label_(o.label.empty() ? o.method : o.label),
      base_(io::join_path(folder_, "runs/" + file_name(label_))),
      log_path_(base_ + ".jsonl") {
  polder::detail::make_folder(io::join_path(folder_, "runs"));
}

std::string run_report::add(const options& o, const json& summary,
                            const std::function<void(const std::string&)>& warn) const {
  const std::string path = base_ + ".json";
  std::vector<run> runs = read_other_runs(io::join_path(folder_, "runs"), label_, warn);
  std::uint64_t number = 1;
  for (const run& other : runs) number = std::max(number, other.number + 1);
  json chosen = json::object();
  const run_configuration configuration = o.configuration();
  for (const auto& [name, value] : configuration.values()) {
    if (name.starts_with("--")) chosen[name] = value;
  }
  const json stored{{"number", number},         {"label", label_},   {"setting", setting_of(o)},
                    {"details", details_of(o)}, {"options", chosen}, {"summary", summary}};
  io::write_file(path, stored.dump() + "\n");
  runs.push_back(read_run(path));
  std::sort(runs.begin(), runs.end(), [](const run& a, const run& b) { return a.number < b.number; });

  io::html_report page("polder: what the runs came to");
  std::string tables;
  for (const std::vector<run>& group : grouped(std::move(runs))) {
    tables += text(tables.empty() ? "" : "\n", group.front().setting, "\n", group.front().details, "\n\n",
                   plain_table(group));
    draw_group(page, group);
  }
  page.write(io::join_path(folder_, "report.html"));
  io::write_file(io::join_path(folder_, "table.txt"), tables);
  return tables;
}

}  // namespace polder_train
