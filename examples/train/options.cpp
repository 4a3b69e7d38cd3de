// The options of polder-train: each once, with its range, its default and the methods it belongs to.
#include "train/options.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "polder/data/partition.hpp"
#include "polder/io/checksum.hpp"
#include "polder/io/file.hpp"
#include "polder/topology/from_name.hpp"
#include "polder/version.hpp"
#include "train/any_compressor.hpp"
#include "train/command_line.hpp"
#include "train/data_options.hpp"
#include "train/paths.hpp"

namespace polder_train {
namespace {

using polder::fail;
using polder::require;
using polder::text;

/// The methods and the options that only some of them have.
struct method {
  std::string name;
  std::string summary;
  std::vector<std::string> options;
  bool undirected = false;  // needs edges that go both ways
  bool constant = false;    // and the same ones in every round
};
const std::vector<method>& methods() {
  static const std::vector<method> all{
      {"all_reduce", "exact averaging in every step: the upper bound", {"--momentum"}},
      {"d_psgd", "gossip with the neighbors, no momentum", {"--topology", "--gamma"}},
      {"dsgdm_n", "gossip, local Nesterov momentum", {"--topology", "--gamma", "--momentum"}},
      {"qgm", "gossip, quasi-global momentum", {"--topology", "--gamma", "--momentum", "--mu"}},
      {"q_saddle",
       "gossip, quasi-global momentum on sharpness-aware gradients",
       {"--topology", "--gamma", "--momentum", "--mu", "--rho"}},
      {"choco_sgd",
       "dsgdm_n with compressed differences to what the neighbors know",
       {"--topology", "--gamma", "--momentum", "--compress", "--measure-compression"},
       true,
       true},
      {"deep_squeeze",
       "dsgdm_n with compressed parameters and error feedback",
       {"--topology", "--gamma", "--momentum", "--compress", "--measure-compression"},
       true,
       true},
      {"comp_q_saddle",
       "q_saddle with compressed differences, or parameters (--error-feedback on)",
       {"--topology", "--gamma", "--momentum", "--mu", "--rho", "--compress", "--error-feedback",
        "--measure-compression"},
       true,
       true},
      {"ngm", "mean of data-variant cross-gradients", {"--topology", "--gamma", "--momentum"}, true},
      {"ngm_model", "mean of model-variant cross-gradients", {"--topology", "--gamma", "--momentum"}, true},
      {"cga", "cross-gradients by a quadratic program", {"--topology", "--gamma", "--momentum"}, true},
      {"n_saddle", "mean of sharpness-aware cross-gradients", {"--topology", "--gamma", "--momentum", "--rho"}, true},
      {"comp_ngm",
       "ngm with both of its messages compressed",
       {"--topology", "--gamma", "--momentum", "--compress", "--compress-cross", "--error-feedback",
        "--measure-compression"},
       true,
       true},
      {"comp_cga",
       "cga with both of its messages compressed",
       {"--topology", "--gamma", "--momentum", "--compress", "--compress-cross", "--error-feedback",
        "--measure-compression"},
       true,
       true},
      {"comp_n_saddle",
       "n_saddle with both of its messages compressed",
       {"--topology", "--gamma", "--momentum", "--rho", "--compress", "--compress-cross", "--error-feedback",
        "--measure-compression"},
       true,
       true},
      {"ddp_sgd", "synchronous: the mean of all gradients in every step", {"--momentum"}},
      {"ddp_sam", "ddp_sgd on sharpness-aware gradients", {"--momentum", "--rho", "--scope"}},
      {"local_sgd",
       "averaging every few steps",
       {"--momentum", "--period", "--pull", "--sync", "--start-epoch", "--qsr-alpha", "--qsr-power", "--qsr-warmup",
        "--drift", "--look-every"}},
      {"local_sam", "local_sgd on sharpness-aware gradients", {"--momentum", "--period", "--pull", "--rho"}},
      {"post_local_sgd", "averaging in every step, then every few", {"--momentum", "--period", "--start-epoch"}},
      {"swap", "averaging in every step, then once at the end", {"--momentum", "--start-epoch"}},
      {"qsr",
       "local_sgd whose rounds grow while the learning rate falls",
       {"--momentum", "--period", "--qsr-alpha", "--qsr-power", "--qsr-warmup"}},
      {"swa", "local_sgd, evaluated at its average in time", {"--momentum", "--period", "--start-epoch"}},
      {"ema", "local_sgd, evaluated at its moving average over the rounds", {"--momentum", "--period", "--ema-decay"}},
      {"easgd", "elastic averaging around a center", {"--momentum", "--period", "--pull", "--server"}},
      {"lsgd", "a pull to the worker with the lowest loss", {"--momentum", "--period", "--pull", "--proximal"}},
      {"mgrawa",
       "a pull to an average in which small gradients weigh more",
       {"--momentum", "--period", "--pull", "--proximal"}},
      {"lgrawa", "mgrawa with weights for each tensor", {"--momentum", "--period", "--pull", "--proximal"}},
      {"dppf",
       "averaging every few steps with a push that keeps workers apart",
       {"--momentum", "--period", "--pull", "--pull-to", "--push", "--push-schedule", "--push-start", "--push-norm",
        "--push-from", "--push-exact", "--server", "--proximal", "--sync", "--start-epoch", "--qsr-alpha",
        "--qsr-power", "--qsr-warmup", "--drift", "--look-every"}},
      {"lookahead", "an outer step back after a few steps forward", {"--momentum", "--period", "--outer-lr"}},
      {"slow_mo",
       "local_sgd with slow momentum",
       {"--momentum", "--period", "--averages", "--outer-lr", "--outer-momentum"}},
      {"diloco",
       "long rounds, and Nesterov momentum on what they did",
       {"--momentum", "--period", "--outer-lr", "--outer-momentum"}},
      {"power_sgd", "all_reduce of low-rank factors of the gradients", {"--momentum", "--rank"}},
  };
  return all;
}
const method& method_named(std::string_view name) {
  return *std::find_if(methods().begin(), methods().end(), [name](const method& m) { return m.name == name; });
}
bool has_option(const method& m, std::string_view option) {
  return std::find(m.options.begin(), m.options.end(), option) != m.options.end();
}

/// An option that serves only with some values of another one, in the methods that have both. Of a value with a colon,
/// what stands before it counts.
struct condition {
  std::string option;
  std::string other;
  std::string options::*value;
  std::vector<std::string> values;

  [[nodiscard]] bool holds(const options& o) const {
    const std::string& now = o.*value;
    const auto has_other = [this](const method& m) { return has_option(m, other); };
    const bool of_some = std::any_of(methods().begin(), methods().end(), has_other);
    return (of_some && !has_other(method_named(o.method))) ||
           std::find(values.begin(), values.end(), now.substr(0, now.find(':'))) != values.end();
  }
};
const std::vector<condition>& conditions() {
  static const std::vector<condition> all{
      {"--server", "--pull-to", &options::pull_to, {"elastic"}},
      {"--proximal", "--pull-to", &options::pull_to, {"leader", "mgrawa", "lgrawa"}},
      {"--proximal", "--sync", &options::sync, {"constant", "post_local", "qsr", "loss_adaptive"}},
      {"--period", "--sync", &options::sync, {"constant", "post_local", "qsr", "loss_adaptive"}},
      {"--push-schedule", "--sync", &options::sync, {"constant", "post_local", "qsr"}},
      {"--start-epoch", "--sync", &options::sync, {"post_local"}},
      {"--qsr-alpha", "--sync", &options::sync, {"qsr"}},
      {"--qsr-power", "--sync", &options::sync, {"qsr"}},
      {"--qsr-warmup", "--sync", &options::sync, {"qsr"}},
      {"--drift", "--sync", &options::sync, {"drift_triggered"}},
      {"--look-every", "--sync", &options::sync, {"drift_triggered"}},
      {"--lr-floor", "--lr-schedule", &options::lr_schedule, {"cosine", "swa"}},
      {"--lr-swa-start", "--lr-schedule", &options::lr_schedule, {"swa"}},
  };
  return all;
}

/// Whether the values of the others let the option serve.
bool serves(const options& o, std::string_view option) {
  const auto met = [&](const condition& c) { return c.option != option || c.holds(o); };
  return std::all_of(conditions().begin(), conditions().end(), met);
}

std::string footer() {
  std::string list = "Methods:\n";
  for (const method& m : methods()) list += text("  ", m.name, std::string(15 - m.name.size(), ' '), m.summary, "\n");
  return list +
         "\nThe last line on stdout is one JSON object with the run's numbers.\n"
         "Exit status: 0 done, 1 the run failed, 2 wrong use.";
}

/// Whether `read` takes the text without an error.
template <class Read>
bool accepted(Read&& read) {
  try {
    (void)read();
    return true;
  } catch (const polder::error&) {
    return false;
  }
}
bool is_partition(const std::string& given) {
  return accepted([&] { return polder::data::parse_partition(given); });
}
bool is_compressor(const std::string& given) { return any_compressor::parse(given).has_value(); }
bool is_gamma(const std::string& given) {
  const auto number = number_in<double>(given);
  return given == "derived" || (number && *number > 0.0 && *number <= 1.0);
}
/// "cosine:5" in its parts.
struct schedule_parts {
  std::string_view kind;
  std::optional<std::uint64_t> warmup_epochs;
};
schedule_parts parts_of(std::string_view schedule) {
  const std::size_t colon = schedule.find(':');
  if (colon == schedule.npos) return {schedule, 0};
  return {schedule.substr(0, colon), number_in<std::uint64_t>(schedule.substr(colon + 1))};
}
bool is_schedule(const std::string& given) {
  const auto [kind, warmup_epochs] = parts_of(given);
  return (kind == "constant" || kind == "steps" || kind == "cosine" || kind == "swa") && warmup_epochs.has_value();
}

const interval not_negative{};
const interval coefficient{.high = 1.0, .open_high = true, .said = "a number in [0, 1)"};

/// Whether polder-train has a backend of that name, in this build or another one.
bool is_backend(const std::string& given) {
  return given == "eigen" || given == "thrust" || given == "cuda" || given == "reference";
}

/// What only methods of local steps have.
void add_local_options(command_line& line, options& o) {
  const interval share{.high = 2.0, .open_low = true, .open_high = true, .said = "a number in (0, 2)"};
  line.whole<std::uint64_t>("--period", o.period, 1,
                            "local steps per communication (methods of local steps; the default is that of qsr, the "
                            "least, and most others; --sync post_local: after --start-epoch; loss_adaptive: of the "
                            "first round)");
  line.choice(
      "--sync", o.sync, {"constant", "post_local", "qsr", "loss_adaptive", "drift_triggered"},
      "when rounds end (local_sgd, dppf): every --period steps; post_local: every step, from --start-epoch on "
      "every --period; qsr: as --method qsr; loss_adaptive: sooner as the loss falls, later as the learning rate "
      "does; drift_triggered: when a worker has gone --drift");
  line.number(
      "--pull", o.pull, share,
      "alpha, how far workers go to their target in a round (dppf, lsgd; mgrawa, lgrawa: 0.5 unless given; "
      "local_sgd, local_sam: 1); of easgd, and dppf to elastic, beta, which the workers share: each goes pull / "
      "workers");
  line.choice("--pull-to", o.pull_to, {"average", "elastic", "leader", "mgrawa", "lgrawa"}, "their target (dppf)");
  line.number("--push", o.push, not_negative, "lambda, how far they are pushed from their average: a length (dppf)");
  line.choice("--push-schedule", o.push_schedule, {"fixed", "increasing", "decreasing"},
              "the push over the run (dppf)");
  line.whole<std::uint64_t>("--push-start", o.push_start, 0, "rounds without a push before the first with one (dppf)");
  line.choice("--push-norm", o.push_norm, {"whole", "tensor"}, "of what the push has its length (dppf)");
  line.choice("--push-from", o.push_from, {"average", "target"}, "from where the push goes (dppf)");
  line.choice("--push-exact", o.push_exact, {"off", "on"},
              "on: the push leaves the average where it is, for a second reduction (dppf)");
  line.choice(
      "--server", o.server, {"off", "on"},
      "on: the center lives on worker 0, for twice the bytes (easgd; dppf to elastic, with --push-from target)");
  line.number("--proximal", o.proximal, coefficient,
              "pull to the last target in --period local steps together (lsgd; mgrawa, lgrawa: 0.01 unless given; dppf "
              "to these "
              "three: 0)");
  line.whole<std::uint64_t>("--averages", o.averages, 1, "averages per slow step (slow_mo)");
  line.number("--outer-lr", o.outer_lr, share,
              "learning rate of the outer step (slow_mo; lookahead: 0.8 unless given, diloco: 0.7)");
  line.number("--outer-momentum", o.outer_momentum, coefficient,
              "of the outer step (slow_mo; diloco: 0.9 unless given)");
  line.number("--qsr-alpha", o.qsr_alpha, not_negative,
              "rounds have (alpha / learning rate)^power steps; 0: --qsr-warmup steps (qsr, --sync qsr)");
  line.whole("--qsr-power", o.qsr_power, 1, "1, 2 or 3 (qsr, --sync qsr)", 3);
  line.whole<std::uint64_t>("--qsr-warmup", o.qsr_warmup, 1,
                            "local steps per round while the learning rate warms up; without it --period (qsr, --sync "
                            "qsr)");
  line.number("--drift", o.drift, not_negative,
              "how far a worker goes in a round: a length; 0: a step (--sync drift_triggered)");
  line.whole<std::uint64_t>("--look-every", o.look_every, 1,
                            "steps between two looks at how far they are (--sync drift_triggered)");
  line.whole<std::uint64_t>("--start-epoch", o.start_epoch, 1,
                            "epochs before workers train apart, or the average in time begins; half of --epochs unless "
                            "given (post_local_sgd, swap, swa, --sync post_local)");
  line.number("--ema-decay", o.ema_decay, coefficient, "what a round leaves of the average in time (ema)");
  line.choice("--scope", o.scope, {"worker", "all_workers"}, "whose gradient says where uphill is (ddp_sam)");
}

/// The defaults that a method has of its own.
void settle_local_options(const command_line& line, options& o) {
  const auto own = [&](const char* option, auto& value, auto other, std::initializer_list<std::string_view> of) {
    const bool meant = std::find(of.begin(), of.end(), o.method) != of.end();
    if (meant && !line.given(option)) value = other;
  };
  own("--pull", o.pull, 1.0, {"local_sgd", "local_sam"});
  own("--pull", o.pull, 0.5, {"mgrawa", "lgrawa"});
  own("--proximal", o.proximal, 0.01, {"mgrawa", "lgrawa"});
  own("--proximal", o.proximal, 0.0, {"dppf"});
  own("--period", o.period, std::uint64_t{32}, {"mgrawa", "lgrawa"});
  own("--period", o.period, std::uint64_t{16}, {"post_local_sgd"});
  own("--period", o.period, std::uint64_t{5}, {"lookahead"});
  own("--period", o.period, std::uint64_t{3}, {"slow_mo"});
  own("--period", o.period, std::uint64_t{500}, {"diloco"});
  own("--period", o.period, std::uint64_t{1}, {"swa", "ema"});
  own("--outer-lr", o.outer_lr, 0.8, {"lookahead"});
  own("--outer-lr", o.outer_lr, 0.7, {"diloco"});
  own("--outer-momentum", o.outer_momentum, 0.9, {"diloco"});
  if (o.start_epoch == 0) o.start_epoch = std::max<std::uint64_t>(o.epochs / 2, 1);
  require<usage_error>(!o.has("--start-epoch") || o.start_epoch <= o.epochs, "--start-epoch ", o.start_epoch,
                       ": allowed: at most the ", o.epochs, " of --epochs");
  own("--lr-swa-start", o.lr_swa_start, static_cast<double>(o.start_epoch) / static_cast<double>(o.epochs), {"swa"});
  if (parts_of(o.lr_schedule).kind == "swa" && !line.given("--lr-floor")) o.lr_floor = 0.5 * o.lr;
}

void add_method(command_line& line, options& o) {
  line.group("The method");
  std::vector<std::string> names;
  for (const method& m : methods()) names.push_back(m.name);
  line.choice("--method", o.method, names, "how workers learn and talk; see below");
  line.whole("--workers", o.workers, 1, "how many train together; with mpi: the number of ranks", 256);
  line.any("--topology", "GRAPH", o.topology, text("who talks to whom: ", polder::topology::allowed_names));
  line.word("--gamma", "X", o.gamma_given,
            "consensus step: the share of the mixing that is done; with --compress 0.5 unless given (the comp_… of "
            "cross-gradients with --compress none: 1); derived: what is safe "
            "for graph and compressor without gradients, mostly less (choco_sgd, comp_q_saddle)",
            "a number in (0, 1], or derived", is_gamma);
  line.whole<std::size_t>("--rank", o.rank, 1, "of the factors that are averaged in place of gradients (power_sgd)");
  add_local_options(line, o);
  line.word("--compress", "KIND", o.compress,
            text("how parameters are compressed: ", any_compressor::names, " (choco_sgd, deep_squeeze, comp_…)"),
            any_compressor::names, is_compressor);
  line.word("--compress-cross", "KIND", o.compress_cross,
            "how the gradients that go back are compressed: as --compress (comp_ngm, comp_cga, comp_n_saddle)",
            any_compressor::names, is_compressor);
  line.choice(
      "--error-feedback", o.error_feedback, {"off", "on"},
      "on: keep the error for the next message; of the parameters, which are then compressed as they are "
      "(comp_q_saddle), or of the gradients for each neighbor (comp_ngm, comp_cga, comp_n_saddle: on unless given)");
  line.choice("--measure-compression", o.measure_compression, {"off", "on"},
              "on: log and summary tell what compression loses (all methods with --compress)");
}

void add_data_and_model(command_line& line, options& o) {
  line.group("Data and model");
  add_images(line, o.dataset, o.data,
             "what --data holds or, without that, Fashion-MNIST as Debian installs it, else the digits");
  add_model(line, o.model, "lenet5, or mlp for images below 28 x 28");
  line.word("--partition", "KIND", o.partition, "how images are shared out: iid, sorted (by label), dirichlet:A",
            "iid, sorted, dirichlet:A with a number A > 0", is_partition);
  add_limits(line, o.train_limit, o.test_limit);
  line.choice(
      "--augment", o.augment, {"none", "crop-flip"},
      "crop-flip: training images are moved by up to 4 pixels and mirrored at random, other ones in every epoch "
      "(the test images never are)");
}

void add_training(command_line& line, options& o) {
  line.group("Training");
  // A run of more epochs does not end in a lifetime; below, steps times epochs fit into 64 bits.
  line.whole<std::uint64_t>("--epochs", o.epochs, 1, "passes over the data, of floor(floor(N / workers) / batch) steps",
                            1'000'000'000);
  line.whole<std::size_t>("--batch", o.batch, 1, "images of a step, per worker");
  line.number("--lr", o.lr, not_negative, "learning rate");
  line.word(
      "--lr-schedule", "KIND[:N]", o.lr_schedule,
      "constant, steps (x 0.1 at 50 % and 75 %), cosine (to --lr-floor), swa (from half of --lr-swa-start to nine "
      "tenths on a line to --lr-floor); with :N for N epochs of warm-up, fewer than --epochs",
      "constant, steps, cosine, swa, with :N behind it for N epochs of warm-up, as in cosine:5", is_schedule);
  line.number("--lr-floor", o.lr_floor, not_negative,
              "where the learning rate ends, at most --lr (--lr-schedule cosine; swa: half of --lr unless given)");
  line.number("--lr-swa-start", o.lr_swa_start, {.high = 1.0, .open_low = true, .said = "a number in (0, 1]"},
              "share of the run after which models are averaged (--lr-schedule swa; with --method swa: --start-epoch / "
              "--epochs unless given)");
  line.number("--momentum", o.momentum, coefficient, "beta (all but d_psgd)");
  line.number("--mu", o.mu, coefficient, "memory of the quasi-global momentum (qgm, q_saddle, comp_q_saddle)");
  line.number(
      "--rho", o.rho, not_negative,
      "radius of the sharpness-aware gradient (q_saddle, n_saddle, comp_q_saddle, comp_n_saddle, ddp_sam, local_sam)");
  line.number("--weight-decay", o.weight_decay, not_negative, "coupled weight decay");
  line.number("--clip-norm", o.clip_norm, not_negative, "greatest norm of a worker's gradient; 0: none");
  line.number("--label-smoothing", o.label_smoothing, coefficient, "share of the label that goes to all classes");
  line.whole<std::uint64_t>("--seed", o.seed, 0, "decides initial weights, shares and order of the images");
}

void add_place(command_line& line, options& o) {
  line.group("Where it runs");
#if defined(POLDER_HAVE_MPI)
  line.choice("--communicator", o.communicator, {"in_process", "mpi"},
              "in_process (threads), mpi (start it with mpirun -n WORKERS)");
#else
  line.word("--communicator", "WORD", o.communicator, "in_process (threads)",
            "in_process (this polder-train was built without MPI)",
            [](const auto& given) { return given == "in_process"; });
#endif
  std::string help = "eigen (fast), ";
  std::string allowed = host_backends();
#if defined(POLDER_HAVE_THRUST)
  help += "thrust (its OpenMP system), ";
#endif
#if defined(POLDER_HAVE_CUDA)
  help += "cuda (a GPU), ";
  allowed += ", cuda";
#endif
  line.word("--backend", "WORD", o.backend, help + "reference (plain loops)", allowed, is_backend);
  line.choice(
      "--precision", o.precision, {"fp32", "tf32", "bf16"},
      "how float32 factors of a matrix product are rounded: not at all, to 10 or to 7 bits of mantissa (--backend "
      "cuda)");
  line.choice("--graphs", o.graphs, {"off", "on"}, "launch the calls of an evaluation together (--backend cuda)");
  line.number("--deadline", o.deadline,
              {.low = 0.001, .high = 1e6, .said = "a number of seconds from 0.001 to 1000000"},
              "seconds that a worker waits for another before the run fails");
}

void add_output(command_line& line, options& o) {
  line.group("What it leaves");
  line.whole<std::uint64_t>("--eval-every", o.eval_every, 0, "epochs between evaluations; 0: at the end only");
  line.whole<std::size_t>("--eval-samples", o.eval_samples, 1,
                          "test images for each worker's own model during the run; at the end: all");
  line.any("--log", "FILE", o.log, "JSON Lines, an object per evaluation");
  line.any("--report", "DIR", o.report, "adds this run to the report in a folder: report.html with curves, table.txt");
  line.any("--label", "TEXT", o.label, "what progress line and report call this run; without it the method");
  line.any("--checkpoint", "DIR", o.checkpoint, "where to save the run, so that it can be resumed");
  line.whole<std::uint64_t>("--checkpoint-every", o.checkpoint_every, 1,
                            "local steps between two checkpoints; without it an epoch's");
  line.any("--resume", "DIR", o.resume, "goes on from the last checkpoint there; may be the folder of --checkpoint");
  line.any("--export", "FILE", o.export_to, "the averaged model as a safetensors file");
}

/// What can be computed where.
void check_backend(const options& o) {
#if !defined(POLDER_HAVE_THRUST)
  require<usage_error>(o.backend != "thrust",
                       "--backend thrust: this polder-train was built without Thrust; allowed: ", host_backends());
#endif
#if !defined(POLDER_HAVE_CUDA)
  require<usage_error>(o.backend != "cuda",
                       "--backend cuda: this polder-train was built without CUDA (configure with -D POLDER_CUDA=ON); "
                       "allowed: ",
                       host_backends());
#endif
  const bool cuda = o.backend == "cuda";
  require<usage_error>(cuda || o.precision == "fp32", "--precision ", o.precision, ": does not apply with --backend ",
                       o.backend, "; allowed with --backend cuda");
  require<usage_error>(cuda || o.graphs == "off", "--graphs ", o.graphs, ": does not apply with --backend ", o.backend,
                       "; allowed with --backend cuda");
  require<usage_error>(!cuda || !o.needs_host_memory(), "--backend cuda: --method ", o.method,
                       " needs host memory; allowed: ", host_backends());
  require<usage_error>(!cuda || o.communicator == "in_process", "--communicator ", o.communicator,
                       ": does not apply with --backend cuda; allowed: in_process");
}

/// What one option says about another.
void check_together(const command_line& line, const options& o) {
  for (const method& owner : methods()) {
    for (const std::string& option : owner.options) {
      if (!line.given(option) || has_option(method_named(o.method), option)) continue;
      std::vector<std::string> owners;
      for (const method& m : methods()) {
        if (has_option(m, option)) owners.push_back(m.name);
      }
      fail<usage_error>(option, " ", line.value(option), ": does not apply to --method ", o.method, "; allowed with ",
                        joined(owners));
    }
  }
  for (const condition& c : conditions()) {
    if (!line.given(c.option) || c.holds(o)) continue;
    fail<usage_error>(c.option, " ", line.value(c.option), ": does not apply with ", c.other, " ", o.*c.value,
                      "; allowed with ", c.other, " ", joined(c.values));
  }
  require<usage_error>(
      o.server == "off" || o.method != "dppf" || (o.push_exact == "off" && (o.push == 0.0 || o.push_from == "target")),
      "--server on: nobody knows the average to push from; allowed with --push-exact off, and "
      "--push-from target or --push 0");
  require<usage_error>(!o.has("--compress-cross") || o.compress_cross != "none" || !line.given("--error-feedback"),
                       "--error-feedback ", o.error_feedback, ": does not apply with --compress-cross none");
  check_backend(o);
  require<usage_error>(
      !o.derives_gamma() || o.method == "choco_sgd" || (o.method == "comp_q_saddle" && o.error_feedback == "off"),
      "--gamma derived: allowed with --method choco_sgd, and comp_q_saddle without --error-feedback on");
  require<usage_error>(o.dataset != "user" || !o.data.empty(),
                       "--dataset user: needs --data DIR, the folder of your images");
  require<usage_error>(!line.given("--checkpoint-every") || !o.checkpoint.empty(), "--checkpoint-every ",
                       o.checkpoint_every, ": needs --checkpoint DIR");
  require<usage_error>(o.eval_every != 0 || !line.given("--eval-samples"), "--eval-samples ", o.eval_samples,
                       ": does not apply with --eval-every 0");
  require<usage_error>(!line.given("--qsr-warmup") || *parts_of(o.lr_schedule).warmup_epochs > 0 || o.qsr_alpha == 0.0,
                       "--qsr-warmup ", o.qsr_warmup, ": does nothing with --lr-schedule ", o.lr_schedule,
                       "; allowed with epochs of warm-up, as in ", parts_of(o.lr_schedule).kind,
                       ":1, or with --qsr-alpha 0");
  require<usage_error>(o.lr_floor <= o.lr, "--lr-floor ", o.lr_floor, ": allowed: at most the ", o.lr, " of --lr");
  require<usage_error>(parts_of(o.lr_schedule).warmup_epochs < o.epochs, "--lr-schedule ", o.lr_schedule,
                       ": allowed: fewer epochs of warm-up than the ", o.epochs, " of --epochs");
}

/// The edges of a graph in one number, whatever their order in the file.
std::string fingerprint(const polder::topology::graph& g) {
  std::string edges;
  for (std::size_t phase = 0; phase < g.period(); ++phase) {
    for (int rank = 0; rank < g.size(); ++rank) {
      for (const int from : g.in_neighbors(phase, rank)) edges += text(phase, ' ', from, ' ', rank, '\n');
    }
  }
  return polder::io::hex64(polder::io::checksum64(polder::io::as_bytes(edges)));
}

}  // namespace

std::string host_backends() {
#if defined(POLDER_HAVE_THRUST)
  return "eigen, thrust, reference";
#else
  return "eigen, reference";
#endif
}

bool options::needs_host_memory() const {
  return has_option(method_named(method), "--compress") || method == "power_sgd";
}

bool options::has(std::string_view option) const {
  return has_option(method_named(method), option) && serves(*this, option);
}

polder::learning_rate options::rate() const {
  using shape = polder::learning_rate::shape;
  const auto [kind, warmup_epochs] = parts_of(lr_schedule);
  polder::learning_rate rate{.base = lr};
  rate.kind = kind == "steps"    ? shape::steps
              : kind == "cosine" ? shape::cosine
              : kind == "swa"    ? shape::swa
                                 : shape::constant;
  rate.warmup_steps = *warmup_epochs * steps_per_epoch;
  rate.floor = lr_floor;
  rate.swa_start = lr_swa_start;
  return rate;
}

polder::push_schedule options::push_shape() const {
  using enum polder::push_schedule;
  return push_schedule == "increasing" ? increasing : push_schedule == "decreasing" ? decreasing : fixed;
}

polder::run_configuration options::configuration() const {
  polder::run_configuration all;
  const auto add_if = [&](const char* option, const auto& value) {
    if (has(option)) all.add(option, value);
  };
  all.add("--method", method);
  all.add("--workers", workers);
  add_if("--topology", topology);
  if (!graph_hash.empty()) all.add("edges of the graph", graph_hash);
  if (derives_gamma()) {
    all.add("--gamma", gamma_given);
  } else {
    add_if("--gamma", gamma);
  }
  add_if("--compress", compress);
  add_if("--compress-cross", compress_cross);
  add_if("--error-feedback", error_feedback);
  add_if("--measure-compression", measure_compression);
  add_if("--rank", rank);
  add_if("--period", period);
  add_if("--pull", pull);
  add_if("--push", push);
  add_if("--push-schedule", push_schedule);
  add_if("--push-start", push_start);
  add_if("--pull-to", pull_to);
  add_if("--push-norm", push_norm);
  add_if("--push-from", push_from);
  add_if("--push-exact", push_exact);
  add_if("--server", server);
  add_if("--proximal", proximal);
  add_if("--averages", averages);
  add_if("--outer-lr", outer_lr);
  add_if("--outer-momentum", outer_momentum);
  add_if("--sync", sync);
  add_if("--qsr-alpha", qsr_alpha);
  add_if("--qsr-power", qsr_power);
  add_if("--qsr-warmup", qsr_warmup);
  add_if("--drift", drift);
  add_if("--look-every", look_every);
  add_if("--start-epoch", start_epoch);
  add_if("--ema-decay", ema_decay);
  add_if("--scope", scope);
  all.add("--dataset", dataset);
  all.add("--model", model);
  all.add("--partition", partition);
  all.add("training images", data_hash);
  all.add("--augment", augment);
  all.add("--epochs", epochs);
  all.add("--batch", batch);
  all.add("--lr", lr);
  all.add("--lr-schedule", lr_schedule);
  if (serves(*this, "--lr-floor")) all.add("--lr-floor", lr_floor);
  if (serves(*this, "--lr-swa-start")) all.add("--lr-swa-start", lr_swa_start);
  add_if("--momentum", momentum);
  add_if("--mu", mu);
  add_if("--rho", rho);
  all.add("--weight-decay", weight_decay);
  all.add("--clip-norm", clip_norm);
  all.add("--label-smoothing", label_smoothing);
  all.add("--seed", seed);
  all.add("--backend", backend);
  if (backend == "cuda") {
    all.add("--precision", precision);
    all.add("--graphs", graphs);
  }
  return all;
}

void options::settle_workers(int ranks) {
  if (communicator == "mpi") {
    require<usage_error>(!workers_given || workers == ranks, "--workers ", workers, ": mpirun started ", ranks,
                         " ranks; allowed: as many workers as ranks");
    workers = ranks;
  }
  if (!gossips()) return;
  bool undirected = true;
  bool constant = true;
  try {
    const polder::topology::graph g = polder::topology::from_name(topology, workers);
    if (topology.starts_with("edges:")) graph_hash = fingerprint(g);
    undirected = g.undirected();
    constant = g.period() == 1;
  } catch (const polder::error& e) {
    fail<usage_error>("--topology ", topology, ": ", e.what());
  }
  require<usage_error>(undirected || !method_named(method).undirected, "--topology ", topology, ": --method ", method,
                       " answers along every edge; allowed: an undirected graph, such as ring");
  require<usage_error>(constant || !method_named(method).constant, "--topology ", topology, ": --method ", method,
                       " keeps what its neighbors know; allowed: a graph that does not change, such as ring");
}

options parse_options(int argc, char** argv) {
  options o;
  command_line line("polder-train: trains a network with many workers that talk little.", "polder-train",
                    "polder " POLDER_VERSION_STRING, footer());
  add_method(line, o);
  add_data_and_model(line, o);
  add_training(line, o);
  add_place(line, o);
  add_output(line, o);
  line.parse(argc, argv);
  o.workers_given = line.given("--workers");
  settle_local_options(line, o);
  if (o.has("--compress") && !line.given("--gamma") && !(o.has("--compress-cross") && o.compress == "none")) {
    o.gamma = 0.5;
  }
  if (o.has("--compress-cross") && !line.given("--error-feedback")) o.error_feedback = "on";
  if (line.given("--gamma") && !o.derives_gamma()) o.gamma = *number_in<double>(o.gamma_given);
  check_together(line, o);
  // From here on one folder has one name.
  if (!o.resume.empty() && !o.checkpoint.empty() && same_folder(o.resume, o.checkpoint)) o.resume = o.checkpoint;
  return o;
}

}  // namespace polder_train
