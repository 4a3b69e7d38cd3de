// The methods beside each other: errors, flatness, bytes and time.
#include <cstddef>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "claims/dppf/report.hpp"
#include "polder/core/error.hpp"
#include "polder/io/svg.hpp"

namespace polder_claims::dppf {
namespace {

using polder::text;

const method* titled(const run_set& set, const std::string& title) {
  for (const method& m : set.methods) {
    if (m.title == title) return &m;
  }
  polder::fail<polder::config_error>("there is no method '", title, "' in the claims");
}
std::vector<const method*> pushed_methods(const run_set& set) {
  std::vector<const method*> found;
  for (const method& m : set.methods) {
    if (!m.base.empty()) found.push_back(&m);
  }
  return found;
}

/// A table of the methods over workers and periods. cell(kind) says what stands there.
template <class Cell>
void table(page& to, const run_set& set, Cell cell) {
  std::vector<std::string> names{"method"};
  for (const std::string& workers : set.workers) {
    for (const std::string& period : set.periods) names.push_back(text(workers, " workers, period ", period));
  }
  to.header(names);
  for (const method& m : set.methods) {
    std::vector<std::string> cells{m.title};
    for (const std::string& workers : set.workers) {
      for (const std::string& period : set.periods) {
        const bool again = !m.has_period && period != set.periods.front();
        cells.push_back(again ? "as before" : cell(kind{&m, workers, period}));
      }
    }
    to.row(cells);
  }
  to.put();
}

void tell_errors(page& to, const run_set& set, const results& all) {
  to.put("Test error in %, of the model that the method evaluates (the workers' average; EASGD: its center):\n");
  table(to, set, [&](const kind& k) {
    std::string cell = told(all.test_error(k), 2);
    if (const std::size_t failed = all.failed(k); failed > 0) cell += text(" (", failed, " failed)");
    return cell;
  });
  to.put(
      "A pull's name alone is the pull without push, at rounds only: LSGD, MGRAWA and LGRAWA without the local pull to "
      "the",
      " last target that their recipes have besides. Without a push the pull was tuned, with one the push: see "
      "Tuning.\n");
  to.put("Training error in %, of the same model on all training images of the runs:\n");
  table(to, set, [&](const kind& k) { return told(all.train_error(k), 2); });
}

/// A method against another: what it gains with each seed, and whether the claim that it gains has held. A run of its own
/// that failed is against it; where only the other's failed, the seed is left out.
struct contest {
  sample gains;
  std::size_t missing = 0;  ///< seeds that have not been run
  std::size_t lost = 0;     ///< seeds in which the method itself failed

  [[nodiscard]] bool decided() const { return missing == 0 && (lost > 0 || !gains.empty()); }
  [[nodiscard]] bool held() const { return lost == 0 && gains.positive() == gains.size(); }
  [[nodiscard]] bool held_in_mean() const { return lost == 0 && gains.mean() > 0; }
  [[nodiscard]] std::string told() const {
    if (missing > 0) return gains.empty() ? "not run yet" : "not all seeds yet";
    if (lost > 0) return text("**did not hold** (", lost, " of its runs failed)");
    return gains.empty() ? "nothing to compare: the other's runs failed" : verdict(gains);
  }
};
contest contest_of(const run_set& set, const results& all, const kind& mine, const kind& other, sample gains) {
  contest found{.gains = std::move(gains)};
  for (const std::string& seed : set.seeds) {
    const auto* const own = all.with_seed(mine, seed);
    found.missing += own == nullptr || all.with_seed(other, seed) == nullptr ? 1 : 0;
    found.lost += own != nullptr && own->failed() ? 1 : 0;
  }
  return found;
}

/// By how much a method's errors are below those of others, in points.
void tell_gains(page& to, const run_set& set, const results& all) {
  to.put("By how many points the test error of DPPF is below that of the others:\n");
  to.header({"method", "workers", "period", "the same pull without push", local_sgd_qsr, sgd, sam});
  std::vector<std::size_t> held(4), mean_only(4), known(4);
  for (const method* const m : pushed_methods(set)) {
    for (const std::string& workers : set.workers) {
      for (const std::string& period : set.periods) {
        std::vector<std::string> cells{m->title, workers, period};
        std::size_t column = 0;
        for (const std::string& other : {m->base, local_sgd_qsr, sgd, sam}) {
          const kind mine{m, workers, period}, theirs{titled(set, other), workers, period};
          const contest c =
              contest_of(set, all, mine, theirs, difference(all.test_error(theirs), all.test_error(mine)));
          cells.push_back(c.gains.empty() ? c.told() : told_signed(c.gains, 2) + ": " + c.told());
          if (c.decided()) {
            ++known[column];
            if (c.held_in_mean()) ++(c.held() ? held : mean_only)[column];
          }
          ++column;
        }
        to.row(cells);
      }
    }
  }
  to.put();
  const std::vector<std::string> others{"the same pull without push", local_sgd_qsr, sgd, sam};
  for (std::size_t c = 0; c < others.size(); ++c) {
    if (known[c] == 0) continue;
    to.put("- that DPPF has a smaller test error than ", others[c], ": held in ", held[c], " of ", known[c],
           " settings, in the mean only in ", mean_only[c], ", did not hold in ", known[c] - held[c] - mean_only[c]);
  }
  to.put();
}

void tell_flatness(page& to, const run_set& set, const results& all) {
  to.put("## 3. Is it in a flatter place?\n");
  to.put("The largest eigenvalue of the Hessian of the training loss on ", set.measured_images,
         " images (without weight decay) at the evaluated model: Lanczos on exact products, to 1 % or 60 products.\n");
  table(to, set, [&](const kind& k) { return told(all.number(k, "largest_eigenvalue"), 2); });
  std::size_t decided = 0, held = 0;
  for (const method* const m : pushed_methods(set)) {
    for (const std::string& workers : set.workers) {
      for (const std::string& period : set.periods) {
        const kind mine{m, workers, period}, theirs{titled(set, m->base), workers, period};
        const sample share = ratio(all.number(mine, "largest_eigenvalue"), all.number(theirs, "largest_eigenvalue"));
        const contest c = contest_of(set, all, mine, theirs, below_one(share));
        if (!c.decided()) continue;
        to.put("- ", m->title, ", ", workers, " workers, period ", period, ": ", told_ratio(share, 2),
               " times the largest eigenvalue of ", m->base, "; that it is smaller: ", c.told());
        ++decided;
        held += c.held() ? 1 : 0;
      }
    }
  }
  if (decided > 0) to.put("- over all settings: smaller in every seed in ", held, " of ", decided);
  to.put();
  to.put(
      "Mean valley: from the workers' average in each worker's direction, how far until the loss is twice that of the",
      " average, on the same images. Workers that end equal (QSR after its last average, synchronous methods) have no",
      " direction: –. A run with a direction in which the loss never gets there is marked as open.\n");
  table(to, set, [&](const kind& k) {
    const std::size_t open = all.number(k, "open_valleys").positive();
    return told(all.number(k, "mean_valley"), 2) + (open == 0 ? "" : text(" (", open, " open)"));
  });
  to.put("Valley width right after the last communication:\n");
  table(to, set,
        [&](const kind& k) { return k.of->has_period ? told(all.summary(k, "valley_width"), 3) : std::string("–"); });
}

void tell_cost(page& to, const run_set& set, const results& all) {
  to.put("## 4. What does it cost?\n");
  to.put("MB that a worker sends in the run, counted at the wire:\n");
  const auto mean_only = [](const sample& values, int digits, double unit) {
    return values.empty() ? std::string("–") : fixed(unit * values.mean(), digits);
  };
  table(to, set, [&](const kind& k) { return mean_only(all.summary(k, "bytes_sent_per_worker"), 1, 1e-6); });
  to.put("Seconds of training, all workers on the processors of one machine, which did other things as well:\n");
  table(to, set, [&](const kind& k) { return mean_only(all.summary(k, "seconds"), 1, 1.0); });
}

}  // namespace

std::string error_picture(const run_set& set, const results& all, const std::string& workers) {
  polder::io::plot p{.title = text("Test error over what a worker sends, ", workers, " workers, mean over seeds"),
                     .x_label = "MB sent per worker",
                     .y_label = "test error, %",
                     .x_scale = polder::io::axis_scale::logarithmic,
                     .width = 820,
                     .height = 500};
  for (const method& m : set.methods) {
    polder::io::plot_series s{.name = m.title, .drawn = polder::io::plot_series::style::line_and_points};
    // From few bytes to many, so that a line ends where its name stands.
    for (const std::string& period : std::views::reverse(set.periods)) {
      const kind k{&m, workers, period};
      const sample error = all.test_error(k);
      const sample bytes = all.summary(k, "bytes_sent_per_worker");
      if (error.empty() || bytes.empty() || (!m.has_period && !s.x.empty())) continue;
      s.x.push_back(1e-6 * bytes.mean());
      s.y.push_back(error.mean());
    }
    if (!s.x.empty()) p.series.push_back(std::move(s));
  }
  return p.series.empty() ? std::string() : polder::io::svg(p);
}

void tell_methods(page& to, const run_set& set, const results& all) {
  to.put("## 2. Is the model more accurate?\n");
  tell_errors(to, set, all);
  tell_gains(to, set, all);
  to.put(
      "The paper's abstract claims that DPPF generalizes better than other local-gradient methods and than synchronous",
      " averaging of gradients, on other data and networks. A run that failed had numbers that were not finite any",
      " more; it is left out of means and pairs.\n");
  for (const std::string& workers : set.workers) {
    to.picture("_error_" + workers, text("Test error over bytes, ", workers, " workers"),
               error_picture(set, all, workers));
  }
  tell_flatness(to, set, all);
  tell_cost(to, set, all);
}

}  // namespace polder_claims::dppf
