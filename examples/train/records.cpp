#include "train/records.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "polder/io/checksum.hpp"
#include "polder/io/file.hpp"
#include "polder/io/json_lines.hpp"
#include "polder/io/json_parse.hpp"
#include "train/any_compressor.hpp"

namespace polder_train {

using polder::io::json;

std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

namespace {

/// What compression has lost, where it is measured.
void add_compression(json& line, const options& o, const polder::compression_sums& sums,
                     const polder::compression_sums& cross) {
  if (o.measure_compression != "on") return;
  line["compression_error"] = sums.relative();
  line["compression_error_length"] = sums.length();
  if (!o.has("--compress-cross")) return;
  line["compression_error_cross"] = cross.relative();
  line["compression_error_length_cross"] = cross.length();
}

/// What one message to one neighbor has; where a method has two, an uncompressed one is the numbers alone.
std::size_t message_bytes(const options& o, const std::string& compressor, const polder::layout& tensors) {
  if (o.has("--compress-cross") && compressor == "none") return sizeof(float) * tensors.size();
  return any_compressor::parse(compressor)->max_bytes<float>(tensors);
}

}  // namespace

json to_json(const options& o, const polder::evaluation& e) {
  json line{{"method", o.method},
            {"epoch", e.epoch},
            {"step", e.step},
            {"round", e.round},
            {"worker_test_samples", e.worker_test_samples},
            {"accuracy_mean_model", e.accuracy_mean_model},
            {"accuracy_worker_mean", e.accuracy_worker_mean},
            {"accuracy_worker_min", e.accuracy_worker_min},
            {"loss", e.loss},
            {"train_loss", e.train_loss},
            {"consensus_distance", e.consensus_distance},
            {"valley_width", e.valley_width},
            {"mean_direction", e.mean_direction},
            {"parameter_norm", e.parameter_norm},
            {"bytes_sent_per_worker", e.bytes_sent_per_worker},
            {"bytes_sent_per_worker_max", e.bytes_sent_per_worker_max},
            {"seconds", e.seconds}};
  add_compression(line, o, e.compression, e.compression_cross);
  return line;
}

json summary(const options& o, const polder::layout& tensors, const polder::fit_result<float>& result) {
  const polder::evaluation& e = result.last;
  json line{
      {"method", o.method},
      {"workers", o.workers},
      {"topology", o.gossips() ? json(o.topology) : json()},
      {"dataset", o.dataset},
      {"model", o.model},
      {"seed", o.seed},
      {"epochs", o.epochs},
      {"evaluated_model", result.evaluated_model},
      {"accuracy_mean_model", e.accuracy_mean_model},
      {"accuracy_worker_mean", e.accuracy_worker_mean},
      {"accuracy_worker_min", e.accuracy_worker_min},
      {"loss", e.loss},
      {"train_loss", e.train_loss},
      {"consensus_distance", e.consensus_distance},
      {"valley_width", result.valley_width},
      {"mean_direction", e.mean_direction},
      {"valley_width_before", o.gossips() ? json() : json(result.valley_width_before)},
      {"bytes_sent_per_worker", e.bytes_sent_per_worker},
      {"bytes_sent_per_worker_max", e.bytes_sent_per_worker_max},
      {"gamma_used", result.consensus_step ? json(*result.consensus_step) : json()},
      {"compress", o.has("--compress") ? json(o.compress) : json()},
      {"message_bytes", o.has("--compress") ? json(message_bytes(o, o.compress, tensors)) : json()},
      {"compress_cross", o.has("--compress-cross") ? json(o.compress_cross) : json()},
      {"message_bytes_cross", o.has("--compress-cross") ? json(message_bytes(o, o.compress_cross, tensors)) : json()},
      {"seconds", e.seconds},
      {"samples_per_second", result.samples_per_second},
      {"param_hash", polder::io::hex64(result.param_hash)}};
  add_compression(line, o, result.compression, result.compression_cross);
  return line;
}

void run_log::begin(std::uint64_t step, std::uint64_t total) {
  std::string kept;
  if (step > 0 && polder::io::is_file(path_)) {
    const polder::io::bytes content = polder::io::read_file(path_);
    std::string_view rest = polder::io::as_text(content);
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      try {
        const auto at = polder::io::parse_json(line, path_).at("step").as_unsigned();
        if (at && *at <= step && *at < total) kept += polder::text(line, '\n');
      } catch (const polder::data_error&) {
        // The line that was being written when the run was killed.
      }
    }
  }
  polder::io::write_file(path_, kept);
}

void run_log::write(const json& line) {
  polder::io::json_lines(path_, polder::io::json_lines::mode::append).write(line);
}

}  // namespace polder_train
