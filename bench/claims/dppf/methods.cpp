// The methods beside each other: errors, flatness, bytes and time.
#include <cstddef>
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
  to.put("Training error in %, of the same model on all training images of the runs:\n");
  table(to, set, [&](const kind& k) { return told(all.train_error(k), 2); });
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
          const sample gain =
              difference(all.test_error({titled(set, other), workers, period}), all.test_error({m, workers, period}));
          cells.push_back(gain.empty() ? "not run yet" : told_signed(gain, 2) + ": " + verdict(gain));
          if (!gain.empty()) {
            ++known[column];
            if (gain.mean() > 0) ++(gain.positive() == gain.size() ? held : mean_only)[column];
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
  for (const method* const m : pushed_methods(set)) {
    for (const std::string& workers : set.workers) {
      for (const std::string& period : set.periods) {
        const sample share = ratio(all.number({m, workers, period}, "largest_eigenvalue"),
                                   all.number({titled(set, m->base), workers, period}, "largest_eigenvalue"));
        if (share.empty()) continue;
        to.put("- ", m->title, ", ", workers, " workers, period ", period, ": ", told(share, 2),
               " times the largest eigenvalue of ", m->base, "; that it is smaller: ", verdict_below_one(share));
      }
    }
  }
  to.put();
  to.put(
      "Mean valley: from the workers' average in each worker's direction, how far until the loss is twice that of the",
      " average, on the same images. Workers that end equal (QSR after its last average, synchronous methods) have no",
      " direction: –.\n");
  table(to, set, [&](const kind& k) { return told(all.number(k, "mean_valley"), 2); });
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
    for (const std::string& period : set.periods) {
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
