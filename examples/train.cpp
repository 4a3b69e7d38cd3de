// polder-train: trains a network with any method, graph, backend and communicator of polder. See polder-train --help.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/safetensors_writer.hpp"
#include "polder/train/progress.hpp"
#include "train/ending.hpp"
#include "train/options.hpp"
#include "train/paths.hpp"
#include "train/problem.hpp"
#include "train/records.hpp"
#include "train/report.hpp"
#include "train/run.hpp"
#include "train/usage_error.hpp"
#if defined(POLDER_HAVE_MPI)
#include "polder/comm/mpi.hpp"
#endif

namespace {

using namespace polder_train;

polder::fit_result<float> run_on_backend(const options& o, const problem& task,
                                         const polder::fit_callbacks& callbacks) {
#if defined(POLDER_HAVE_THRUST)
  if (o.backend == "thrust") return run_thrust(o, task, callbacks);
#endif
#if defined(POLDER_HAVE_CUDA)
  if (o.backend == "cuda") return run_cuda(o, task, callbacks);
#endif
  return o.backend == "reference" ? run_reference(o, task, callbacks) : run_eigen(o, task, callbacks);
}

/// Reads, trains and writes what the options ask for. Only rank 0 speaks and writes.
void train(options& o, bool speaks) {
  const auto say = [&](const std::string& sentence) {
    if (speaks) std::fprintf(stderr, "polder-train: %s\n", sentence.c_str());
  };
  if (speaks) {
    check_file("--export", o.export_to);
    check_file("--log", o.log);
    check_folder("--report", o.report);
  }
  check_folder("--checkpoint", o.checkpoint);
  const bool nothing_yet = !o.resume.empty() && !polder::checkpoint_folder(o.resume, {}).holds_run();
  polder::require<usage_error>(!nothing_yet || o.resume == o.checkpoint, "--resume ", o.resume,
                               ": there is no checkpoint in it; allowed: a folder that holds the checkpoints of a run, "
                               "or the folder of --checkpoint");
  const problem task = make_problem(o, say);
  if (nothing_yet) {
    say("there is no checkpoint in '" + o.resume + "' yet: starting from the beginning.");
    o.resume.clear();
  }

  std::optional<run_report> report;
  std::vector<run_log> logs;
  if (speaks && !o.report.empty()) logs.emplace_back(report.emplace(o.report, o).log_path());
  if (speaks && !o.log.empty()) logs.emplace_back(o.log);

  std::optional<polder::progress> line;
  std::string accuracy;
  polder::fit_callbacks callbacks;
  callbacks.begin = [&](const polder::resumed& start) {
    for (const std::string& warning : start.warnings) say(warning);
    if (!o.resume.empty()) say(polder::text("going on after step ", start.step, "."));
    const std::uint64_t total = o.epochs * task.steps_per_epoch();
    for (run_log& log : logs) log.begin(start.step, total);
    line.emplace(o.label.empty() ? o.method : o.label, total, start.step);
  };
  callbacks.step = [&](std::uint64_t steps, double loss) {
    if (line->due()) line->update(steps, polder::text("loss ", fixed(loss, 3), accuracy));
  };
  callbacks.evaluated = [&](const polder::evaluation& e) {
    accuracy = polder::text("  accuracy ", fixed(100.0 * e.accuracy_mean_model, 1), " %");
    for (run_log& log : logs) log.write(to_json(o, e));
  };

  const polder::fit_result<float> result = run_on_backend(o, task, callbacks);
  line.reset();
  if (!speaks) return;

  const auto export_mean = [&] {
    polder::io::safetensors_writer file;
    for (const polder::tensor_info& tensor : task.tensors().tensors()) {
      file.add(tensor.name, std::span<const float>(result.mean).subspan(tensor.offset, tensor.size()), tensor.shape);
    }
    file.metadata("model", o.model);
    file.metadata("dataset", o.dataset);
    file.metadata("seed", polder::text(o.seed));
    file.metadata("training images", o.data_hash);
    file.write(o.export_to);
  };
  const polder::io::json numbers = summary(o, task.tensors(), result);
  // What cannot be written after the training must not cost the numbers, and MPI_Abort must not cost the buffer.
  std::string failures;
  const auto attempt = [&](auto&& action) {
    try {
      action();
    } catch (const std::exception& e) {
      failures += polder::text(failures.empty() ? "" : "; ", e.what());
    }
  };
  if (!o.export_to.empty()) attempt(export_mean);
  if (report) attempt([&] { std::fputs((report->add(o, numbers, say) + "\n").c_str(), stdout); });
  attempt([&] { print_last_line(numbers.dump()); });
  polder::require<polder::data_error>(failures.empty(), "the run is done, but: ", failures);
}

/// What mpirun (Open MPI's, or one that speaks PMI as MPICH's does) tells a process before MPI starts; empty without it.
std::string from_mpirun(const std::string& what) {
  for (const char* const starter : {"OMPI_COMM_WORLD_", "PMI_"}) {
    if (const char* const value = std::getenv((starter + what).c_str())) return value;
  }
  return {};
}
/// Whether this process may speak before MPI has told its rank: under mpirun only the first one.
bool is_first_rank() {
  const std::string rank = from_mpirun("RANK");
  return rank.empty() || rank == "0";
}
/// Processes that do not know of each other would all train all workers, and write the same files.
void check_alone(const options& o) {
  const std::string size = from_mpirun("SIZE");
  if (o.communicator != "in_process" || size.empty() || size == "1") return;
#if defined(POLDER_HAVE_MPI)
  const char* const allowed = "--communicator mpi, or a start without mpirun";
#else
  const char* const allowed = "a start without mpirun (this polder-train was built without MPI)";
#endif
  polder::fail<usage_error>("--communicator ", o.communicator, ": mpirun started ", size,
                            " processes, and each would do the whole run; allowed: ", allowed);
}

#if defined(POLDER_HAVE_MPI)
int run_mpi(options& o) {
  const polder::mpi_session session;
  const ending end = guarded([&] {
    o.settle_workers(session.size());
    train(o, session.rank() == 0);
  });
  if (end.status == 0) return 0;
  // Most errors are met by all ranks at once: the others let rank 0 speak, and do so only if they are still alive then.
  if (session.rank() != 0) std::this_thread::sleep_for(std::chrono::seconds(1));
  complain("polder-train", end);
  MPI_Abort(MPI_COMM_WORLD, end.status);
  return end.status;
}
#endif

}  // namespace

int main(int argc, char** argv) {
  options o;
  ending end = guarded([&] {
    o = parse_options(argc, argv);
    check_alone(o);
#if defined(POLDER_HAVE_CUDA)
    if (o.backend == "cuda") require_gpu();
#endif
  });
  if (end.status != 0 && !is_first_rank()) {
    // mpirun ends all of them when one fails: the first rank must have spoken by then.
    std::this_thread::sleep_for(std::chrono::seconds(1));
    return end.status;
  }
#if defined(POLDER_HAVE_MPI)
  if (end.status == 0 && o.communicator == "mpi") return run_mpi(o);
#endif
  if (end.status == 0) {
    end = guarded([&] {
      o.settle_workers(1);
      train(o, true);
    });
  }
  if (end.status != 0) complain("polder-train", end);
  return end.status;
}
