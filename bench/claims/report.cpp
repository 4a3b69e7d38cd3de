#include "claims/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "claims/schedule.hpp"
#include "polder/core/error.hpp"
#include "polder/io/file.hpp"

namespace polder_claims {
namespace {

using polder::text;

/// Builds the document from top to bottom.
class document {
 public:
  document(const run_set& set, const results& all, std::string path) : set_(set), all_(all), path_(std::move(path)) {}

  std::string whole() {
    head();
    accuracy();
    compression();
    flatness();
    errors();
    tuning();
    commands();
    return std::move(out_);
  }

 private:
  template <class... Pieces>
  void put(const Pieces&... pieces) {
    out_ += text(pieces...);
    out_ += '\n';
  }
  void row(const std::vector<std::string>& cells) {
    for (const std::string& cell : cells) out_ += "| " + cell + " ";
    out_ += "|\n";
  }
  void header(const std::vector<std::string>& cells) {
    row(cells);
    row(std::vector<std::string>(cells.size(), "---"));
  }
  /// Writes a picture beside the document and shows it.
  void picture(const std::string& name, const std::string& said, const std::string& svg) {
    if (svg.empty()) return;
    polder::io::write_file(path_ + name + ".svg", svg);
    const std::string file = path_.substr(path_.find_last_of('/') + 1) + name + ".svg";
    put("![", said, "](", file, ")\n");
  }
  static std::string said(const graph& on) { return text(on.name, ", ", on.workers, " workers"); }
  /// Methods that were run on a graph.
  [[nodiscard]] std::vector<const method*> run_on(const graph& on) const {
    std::vector<const method*> found;
    for (const method& m : methods()) {
      if (on.name == ring.name || !m.cross_gradients) found.push_back(&m);
    }
    return found;
  }
  [[nodiscard]] std::string cell(const kind& k) const {
    std::string of = told(all_.accuracy(k), 2, 100);
    if (const std::size_t failed = all_.failed(k); failed > 0) of += text(" (", failed, " failed)");
    return of;
  }

  void head() {
    put("# The claims about SADDLe, measured\n");
    put("Written by `sh bench/claims/saddle.sh` from the lines of `", path_.substr(path_.find_last_of('/') + 1),
        ".jsonl`, one for each run; nothing here is edited by hand.\n");
    std::set<std::string> commits, machines;
    double seconds = 0.0;
    for (const json* const line : all_.lines()) {
      commits.insert(results::text_of(*line, "commit"));
      machines.insert(results::text_of(*line, "machine"));
      seconds += results::number(*line, "seconds");
    }
    const auto joined = [](const std::set<std::string>& items) {
      std::string list;
      for (const std::string& item : items) list += text(list.empty() ? "" : "; ", item);
      return list;
    };
    put("- runs: ", all_.lines().size(), " of ", planned(), " planned, ", fixed(seconds / 3600, 2), " hours in all",
        all_.lines().size() < planned() ? " (**not all runs are done yet**)" : "");
    put("- machine: ", joined(machines));
    put("- commit: ", joined(commits));
    std::string training;
    for (const std::string& word : set_.training) training += (training.empty() ? "" : " ") + word;
    put("- every run: `", training, "`, cosine learning rate, momentum 0.9, weight decay 1e-4");
    put("- seeds: ", set_.seeds.size(), " (", listed(set_.seeds),
        "); a seed decides initial weights, shares and order of", " the images");
    put("- accuracy: of the average of all workers' models, on all test images; mean ± standard deviation over "
        "seeds\n");
    put("Gains and drops are in points of accuracy, paired by seed. A claim is said to have *held* where the mean is "
        "on",
        " its side and every seed is, *in the mean only* where not every seed is.\n");
  }
  static std::string listed(const std::vector<std::string>& items) {
    std::string list;
    for (const std::string& item : items) list += text(list.empty() ? "" : ", ", item);
    return list;
  }
  [[nodiscard]] std::size_t planned() const {
    // The numbers of runs do not depend on which values turn out best.
    std::size_t count = 0;
    const json none{{"failed", "not run"}};
    auto counted = [&](const job&) -> const json& {
      ++count;
      return none;
    };
    for_all_runs(set_, "all", counted);
    return count;
  }

  /// What has become of the claim that `gains` are above 0.
  static std::string verdict(const sample& gains) {
    if (gains.empty()) return "not run yet";
    const std::string seeds = text(gains.positive(), " of ", gains.size(), gains.size() == 1 ? " seed" : " seeds");
    if (gains.mean() <= 0) return text("**did not hold** (", seeds, ")");
    return gains.positive() == gains.size() ? text("**held** (", seeds, ")")
                                            : text("**in the mean only** (", seeds, ")");
  }

  void accuracy() {
    put("## 1. Is the averaged model more accurate?\n");
    for (const graph& on : {ring, torus}) {
      put("Accuracy in %, ", said(on), ", not compressed:\n");
      std::vector<std::string> names{"method"};
      for (const std::string& alpha : set_.alphas) names.push_back("alpha " + alpha);
      names.insert(names.end(), {"MB sent per worker", "training seconds"});
      header(names);
      for (const method* const m : run_on(on)) {
        std::vector<std::string> cells{m->title};
        for (const std::string& alpha : set_.alphas) cells.push_back(cell({m->title, "none", on.name, alpha}));
        const kind last{m->title, "none", on.name, set_.alphas.back()};
        cells.push_back(told(mean_only(all_.summary(last, "bytes_sent_per_worker")), 0, 1e-6));
        cells.push_back(told(mean_only(all_.summary(last, "seconds")), 0));
        row(cells);
      }
      put();
      for (const method* const m : run_on(on)) {
        for (const std::string& base : m->bases) {
          for (const std::string& alpha : set_.alphas) {
            const sample gain = difference(all_.accuracy({m->title, "none", on.name, alpha}),
                                           all_.accuracy({base, "none", on.name, alpha}));
            put("- ", m->title, " against ", base, ", ", on.name, ", alpha ", alpha, ": ", told_signed(gain, 2, 100),
                " points: ", verdict(gain));
          }
        }
      }
      put();
    }
    put("The paper claims gains of 1 to 20 points, on other data and networks. Training seconds are those of the last "
        "alpha"
        " while the machine did other things as well.\n");
  }
  static sample mean_only(const sample& values) {
    sample one;
    if (!values.empty()) one.of["mean"] = values.mean();
    return one;
  }

  void compression() {
    put("## 2. What do fewer bytes cost?\n");
    put("Bytes are counted at the wire, with headers, scales and signs. Messages are compressed differences to what "
        "the",
        " neighbors know (CHOCO), quantized to b bits with a norm for each bucket (`qsgd:BITS:BUCKET`); the consensus "
        "step",
        " is fixed for each codec: ", codec_steps(),
        ". Learning rate and rho are those of the run that is not compressed.", " Ring of ", ring.workers, ".\n");
    header({"method", "codec", "alpha", "times fewer bytes", "accuracy, %", "drop, points"});
    for (const method& m : methods()) {
      for (const codec& k : set_.codecs) {
        for (const std::string& alpha : set_.alphas) {
          const kind what{m.title, k.name, ring.name, alpha};
          if (m.compressed.empty()) continue;
          row({m.title, k.name, alpha, told(mean_only(all_.fewer_bytes(what)), 2), cell(what),
               told(drop(what), 2, 100)});
        }
      }
    }
    put();
    for (const method& m : methods()) {
      if (m.compressed.empty() || !m.sharpness_aware()) continue;
      for (const codec& k : set_.codecs) {
        for (const std::string& alpha : set_.alphas) {
          const sample mine = drop({m.title, k.name, ring.name, alpha});
          const sample other = drop({m.bases.front(), k.name, ring.name, alpha});
          const sample gain = difference(all_.accuracy({m.title, k.name, ring.name, alpha}),
                                         all_.accuracy({m.bases.front(), k.name, ring.name, alpha}));
          put("- at least ", k.aim, " times fewer bytes, alpha ", alpha, ": ", m.title, " loses ", told(mine, 2, 100),
              " points, ", m.bases.front(), " ", told(other, 2, 100), "; that ", m.title,
              " loses at most 1 point: ", within(mine, 0.01),
              "; that it loses less: ", verdict(difference(other, mine)), "; that it is ahead (",
              told_signed(gain, 2, 100), "): ", verdict(gain));
        }
      }
    }
    put();
    put("The paper claims an average drop of about 1 point at up to 4 times fewer bytes.\n");
    for (const std::string& alpha : set_.alphas) {
      picture("_accuracy_" + alpha, text("Accuracy over bytes, alpha ", alpha), accuracy_picture(set_, all_, alpha));
    }
  }
  [[nodiscard]] sample drop(const kind& k) const {
    return difference(all_.accuracy({k.method, "none", k.graph, k.alpha}), all_.accuracy(k));
  }
  static std::string within(const sample& drop, double bound) {
    if (drop.empty()) return "not run yet";
    return drop.mean() <= bound ? "**held**" : "**did not hold**";
  }
  [[nodiscard]] std::string codec_steps() const {
    std::string list;
    for (const codec& k : set_.codecs) list += text(list.empty() ? "" : ", ", k.gamma, " for `", k.name, "`");
    return list;
  }

  void flatness() {
    put("## 3. Is the averaged model in a flatter place?\n");
    put("The largest eigenvalue of the Hessian of the mean loss on ", set_.flatness_images, " training images (without",
        " weight decay), at the averaged model: Lanczos on central differences in double, to 1 % or 40 products.\n");
    header({"graph", "method", "codec", "alpha", "largest eigenvalue"});
    std::vector<std::string> codecs{"none"};
    for (const codec& k : set_.codecs) codecs.push_back(k.name);
    for (const graph& on : {ring, torus}) {
      for (const method* const m : run_on(on)) {
        for (const std::string& k : codecs) {
          for (const std::string& alpha : set_.alphas) {
            const sample values = all_.flatness({m->title, k, on.name, alpha});
            if (!values.empty()) row({on.name, m->title, k, alpha, told(values, 1)});
          }
        }
      }
    }
    put();
    for (const graph& on : {ring, torus}) {
      for (const method* const m : run_on(on)) {
        if (!m->sharpness_aware()) continue;
        for (const std::string& k : codecs) {
          for (const std::string& alpha : set_.alphas) {
            const sample share = ratio(all_.flatness({m->title, k, on.name, alpha}),
                                       all_.flatness({m->bases.front(), k, on.name, alpha}));
            if (share.empty()) continue;
            put("- ", on.name, ", ", k == "none" ? "not compressed" : k, ", alpha ", alpha, ": ", m->title, " has ",
                told(share, 2), " times the largest eigenvalue of ", m->bases.front(),
                "; that it is smaller: ", verdict(below_one(share)));
          }
        }
      }
    }
    put();
  }
  /// 1 - share: above 0 where the share is below 1.
  static sample below_one(const sample& share) {
    sample rest;
    for (const auto& [seed, value] : share.of) rest.of[seed] = 1.0 - value;
    return rest;
  }

  void errors() {
    put("## 4. Is less lost in compression?\n");
    put("v is what a message carries before compression, C(v) after it. Relative: sqrt(sum ||v - C(v)||^2 / sum "
        "||v||^2)",
        " over all messages of a run; length: the root of the mean of ||v - C(v)||^2.\n");
    header({"method", "codec", "alpha", "relative, whole run", "length, whole run", "relative, first epoch",
            "relative, last epoch"});
    for (const method& m : methods()) {
      for (const codec& k : set_.codecs) {
        for (const std::string& alpha : set_.alphas) {
          if (m.compressed.empty()) continue;
          const kind what{m.title, k.name, ring.name, alpha};
          const curve c = mean_curve(all_, what, "compression_error");
          row({m.title, k.name, alpha, told(all_.summary(what, "compression_error"), 4),
               told(all_.summary(what, "compression_error_length"), 4),
               c.values.empty() ? "–" : fixed(c.values.front(), 4),
               c.values.empty() ? "–" : fixed(c.values.back(), 4)});
        }
      }
    }
    put();
    for (const method& m : methods()) {
      if (m.compressed.empty() || !m.sharpness_aware()) continue;
      for (const codec& k : set_.codecs) {
        for (const std::string& alpha : set_.alphas) {
          const kind mine{m.title, k.name, ring.name, alpha};
          const kind other{m.bases.front(), k.name, ring.name, alpha};
          for (const auto& [key, name] : {std::pair{"compression_error", "relative error"},
                                          std::pair{"compression_error_length", "error's length"}}) {
            const sample share = ratio(all_.summary(mine, key), all_.summary(other, key));
            if (share.empty()) continue;
            put("- ", k.name, ", alpha ", alpha, ": ", m.title, " has ", told(share, 2), " times the ", name, " of ",
                m.bases.front(), "; that it is smaller: ", verdict(below_one(share)));
          }
        }
      }
    }
    put();
    for (const method& m : methods()) {
      if (m.compressed.empty() || !m.sharpness_aware()) continue;
      for (const std::string& alpha : set_.alphas) {
        picture(text("_error_", m.name, "_", alpha), text("Compression error of ", m.title, ", alpha ", alpha),
                error_picture(set_, all_, m, alpha));
      }
    }
  }

  void tuning() {
    put("## Tuning\n");
    put("Each method was given the same number of runs, on seed ", set_.tuning_seed,
        " (none of those above) and alpha ", set_.tuning_alpha, ", ring of ", ring.workers,
        ", not compressed. Methods with rho: learning rates at the first",
        " rho, then other rho at the best of them. The values with the most test accuracy of the averaged model are "
        "used",
        " everywhere else.\n");
    header({"method", "learning rate", "rho", "accuracy, %", ""});
    for (const method& m : methods()) {
      std::vector<std::vector<std::string>> rows;
      auto looked_up = [&](const job& j) -> const json& {
        static const json none{{"failed", "not run"}};
        for (const json* const line : all_.lines()) {
          if (results::text_of(*line, "command") != j.command()) continue;
          const bool failed = line->find("failed") != nullptr;
          rows.push_back({m.title, j.rate, j.rho.empty() ? "–" : j.rho,
                          failed ? "failed" : fixed(100 * accuracy_of(*line), 2), ""});
          return *line;
        }
        return none;
      };
      const tuned best = tune(set_, m, looked_up);
      for (std::vector<std::string>& r : rows) {
        if (r[1] == best.rate && (best.rho.empty() || r[2] == best.rho)) r[4] = "chosen";
        row(r);
      }
    }
    put();
  }

  void commands() {
    put("## Commands\n");
    put("All of it, going on where it was interrupted: `sh bench/claims/saddle.sh`; one seed and one alpha: `sh"
        " bench/claims/saddle.sh --reduced`; this document again from the lines: `sh bench/claims/saddle.sh "
        "--report-only`."
        " Each run is a command line of polder-train (with `--data DIR` where the data are not installed), which gives "
        "the"
        " same `param_hash` on a machine of this kind. For seed ",
        set_.seeds.front(), " and alpha ", set_.alphas.front(), ":\n");
    put("```text");
    std::set<std::string> shown;
    for (const json* const line : all_.lines()) {
      if (results::text_of(*line, "purpose") != "compare" || results::text_of(*line, "seed") != set_.seeds.front() ||
          results::text_of(*line, "alpha") != set_.alphas.front()) {
        continue;
      }
      if (const std::string command = results::text_of(*line, "command"); shown.insert(command).second) put(command);
    }
    put("```");
  }

  const run_set& set_;
  const results& all_;
  std::string path_;
  std::string out_;
};

}  // namespace

void write_report(const run_set& set, const std::vector<json>& lines, const std::string& path) {
  const results all(lines);
  polder::io::write_file(path + ".md", document(set, all, path).whole());
}

}  // namespace polder_claims
