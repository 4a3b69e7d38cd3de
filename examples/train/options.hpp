// What polder-train is asked to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "polder/core/error.hpp"
#include "polder/core/schedule.hpp"
#include "polder/train/checkpoint.hpp"

namespace polder_train {

/// The values of all options, with their defaults.
struct options {
  std::string method = "qgm";
  int workers = 8;
  bool workers_given = false;
  std::string topology = "ring";
  double gamma = 1.0;  // consensus step; 0.5 with compressed parameters unless told otherwise
  std::string gamma_given = "1";
  std::string compress = "qsgd:8";
  std::string compress_cross = "sign";  // of the gradients that go back
  std::string error_feedback = "off";   // on with compress_cross unless told otherwise
  std::string measure_compression = "off";
  std::size_t rank = 2;                 // of power_sgd's factors
  std::uint64_t period = 4;             // local steps per round
  double pull = 0.1;                    // alpha; local_sgd has 1 unless told otherwise
  double push = 0.5;                    // lambda
  std::string push_schedule = "fixed";  // increasing, decreasing
  std::uint64_t push_start = 0;         // rounds before there is a push
  std::string push_norm = "whole";      // tensor
  std::string push_from = "average";    // target
  std::string push_exact = "off";       // on
  std::string pull_to = "average";      // elastic, leader, mgrawa, lgrawa
  std::string server = "off";           // on: EASGD's center on worker 0
  double proximal = 0.1;                // of a round's local steps together; 0.01 with GRAWA, 0 with DPPF
  std::uint64_t averages = 16;          // of SlowMo, per slow step
  double outer_lr = 1.0;                // of the outer optimizer; its own default unless told otherwise
  double outer_momentum = 0.5;          // SlowMo; DiLoCo 0.9
  std::string sync = "constant";        // post_local, qsr, loss_adaptive, drift_triggered
  double qsr_alpha = 0.02;
  int qsr_power = 2;
  std::uint64_t qsr_warmup = 0;  // local steps per round while the learning rate warms up; 0: period
  double drift = 1.0;
  std::uint64_t look_every = 1;   // steps between two looks at the drift
  std::uint64_t start_epoch = 0;  // when the second phase or the average in time begins; half the epochs unless given
  double ema_decay = 0.99;        // of the average in time, a round
  std::string scope = "worker";   // all_workers: of SAM's perturbation in ddp_sam

  std::string dataset;  // fashion-mnist, cifar10, cifar100, digits or user; empty: what is found
  std::string data;     // folder
  std::string model;    // empty: what suits the images
  std::string partition = "dirichlet:0.1";
  std::size_t train_limit = 0;  // 0: all
  std::size_t test_limit = 0;
  std::string augment = "none";  // crop-flip

  std::uint64_t epochs = 10;
  std::size_t batch = 32;  // per worker
  double lr = 0.05;
  std::string lr_schedule = "cosine";  // constant, steps, cosine, swa; ":2" behind it: epochs of warm-up
  double lr_floor = 0.0;               // where it ends; half of lr with swa unless told otherwise
  double lr_swa_start = 0.805;         // share of the run; with the method swa its start unless told otherwise
  double momentum = 0.9;
  double mu = 0.9;
  double rho = 0.05;
  double weight_decay = 1e-4;
  double clip_norm = 0.0;
  double label_smoothing = 0.0;
  std::uint64_t seed = 1;

  std::string communicator = "in_process";
  std::string backend = "eigen";
  std::string precision = "fp32";  // of cuda's matrix products: tf32, bf16
  std::string graphs = "off";      // on: cuda launches an evaluation's calls together
  double deadline = 60.0;          // seconds

  std::uint64_t eval_every = 1;  // epochs
  std::size_t eval_samples = 2000;
  std::string log;
  std::string report;
  std::string label;
  std::string checkpoint;
  std::uint64_t checkpoint_every = 0;  // steps
  std::string resume;                  // equals checkpoint if it is the same folder
  std::string export_to;

  std::uint64_t steps_per_epoch = 0;  // once the data are shared out
  std::string data_hash;              // of the training images, once they are read
  std::string graph_hash;             // of the edges, if they are read from a file

  /// Fits the number of workers to the ranks of mpirun, and looks whether the graph can have as many.
  void settle_workers(int ranks);
  /// Whether the method speaks with the neighbors of a graph; the others reduce over all workers.
  [[nodiscard]] bool gossips() const { return has("--topology"); }
  /// Whether the mixing rule derives its consensus step, in place of gamma.
  [[nodiscard]] bool derives_gamma() const { return gamma_given == "derived"; }
  /// Whether the option belongs to the method, and serves with the values of the others.
  [[nodiscard]] bool has(std::string_view option) const;
  /// Whether the method compresses or makes vectors orthonormal, which is done in host memory alone.
  [[nodiscard]] bool needs_host_memory() const;
  /// The learning rate as a function of the step, once steps_per_epoch is known.
  [[nodiscard]] polder::learning_rate rate() const;
  [[nodiscard]] polder::push_schedule push_shape() const;
  /// All that decides the numbers of the run.
  [[nodiscard]] polder::run_configuration configuration() const;
};

/// The backends of this build that need no GPU: "eigen, thrust, reference".
[[nodiscard]] std::string host_backends();

/// Reads the command line. Prints and leaves with status 0 for --help and --version.
/// Throws usage_error for anything that is not right.
[[nodiscard]] options parse_options(int argc, char** argv);

}  // namespace polder_train
