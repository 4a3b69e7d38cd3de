// Which codec and which period pay on a given link: measures encode and decode of every codec on this machine and
// computes from it the time of a training step, the speed-up over uncompressed messages, and the bandwidth below which
// each codec pays. Prints tables and draws the speed-up over the bandwidth.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"
#include "polder/io/markup.hpp"
#include "polder/io/svg.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/version.hpp"
#include "support/break_even.hpp"
#include "support/codecs.hpp"
#include "support/contest.hpp"
#include "train/command_line.hpp"

namespace {

using namespace polder;
using bench::message_cost;
using bench::round_setting;
using polder_train::usage_error;

constexpr double bytes_per_gigabit = 1e9 / 8;

struct options {
  std::size_t parameters = 10000000;
  double latency_us = 50;
  double bandwidth_gbit = 1;
  double compute_ms = 100;
  std::size_t neighbors = 2;
  std::vector<double> periods{1, 4, 16};
  double overlap = 0;
  std::string svg = "break_even.svg";
};

std::vector<double> periods_in(std::string_view list) {
  std::vector<double> periods;
  for (bool more = true; more;) {
    const std::size_t comma = list.find(',');
    more = comma != std::string_view::npos;
    const auto period = polder_train::number_in<std::uint32_t>(list.substr(0, comma));
    if (!period || *period == 0) return {};
    periods.push_back(*period);
    if (more) list.remove_prefix(comma + 1);
  }
  return periods;
}

options read_options(int argc, char** argv) {
  options o;
  polder_train::command_line line("Which compression and which period pay on a given link, from speeds measured here.",
                                  "bench_break_even", POLDER_VERSION_STRING, "");
  line.group("The round");
  line.whole("--parameters", o.parameters, std::size_t{1}, "numbers of a message", std::size_t{1} << 30);
  line.whole("--neighbors", o.neighbors, std::size_t{1}, "to each of which a worker sends, and from which it receives",
             std::size_t{1000000});
  line.number("--compute", o.compute_ms, {}, "milliseconds of a step without messages");
  std::string periods = "1,4,16";
  line.word("--periods", "LIST", periods, "steps from one round of messages to the next, for each a column",
            "whole numbers >= 1 with commas between them",
            [](const std::string& given) { return !periods_in(given).empty(); });
  line.group("The link");
  line.number("--latency", o.latency_us, {}, "microseconds until the first byte of a message arrives");
  line.number("--bandwidth", o.bandwidth_gbit, {.open_low = true, .said = "a number > 0"},
              "gigabits per second, in each direction, shared by the neighbors' messages");
  line.number("--overlap", o.overlap, {.high = 1, .said = "a number from 0 to 1"},
              "what share of a period's computing messages can hide behind");
  line.group("Output");
  line.any("--svg", "FILE", o.svg, "where the picture goes");
  line.parse(argc, argv);
  o.periods = periods_in(periods);
  return o;
}

struct measured_codec {
  std::string name;
  message_cost cost;
};

/// Processor time of each codec's measurement.
constexpr double codec_seconds = 0.5;

/// Uncompressed messages are sent from where they are; each that comes is added with its weight.
message_cost measure_plain(std::size_t n) {
  const host_buffer<float> x = bench::normal_numbers(n);
  host_buffer<float> y(n);
  const auto [seconds] = bench::least_seconds(codec_seconds, [&] {
    const float* POLDER_RESTRICT from = x.data();
    float* POLDER_RESTRICT to = y.data();
    for (std::size_t i = 0; i < n; ++i) to[i] = ops::multiply_add(1.0f / 3.0f, from[i], to[i]);
  });
  return {0.0, seconds, 4.0 * static_cast<double>(n)};
}

std::vector<measured_codec> measure_codecs(std::size_t n) {
  std::vector<measured_codec> codecs;
  bench::for_each_codec([&](const std::string& name, const auto& k) {
    bench::codec_at_work codec(k, n);
    const auto [encode, decode] = bench::least_seconds(
        codec_seconds, [&] { codec.encode(); }, [&] { codec.decode_add(); });
    codecs.push_back({name, {encode, decode, static_cast<double>(codec.sent())}});
  });
  return codecs;
}

std::string machine() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "this machine";
}

std::string formatted(const char* format, double value) {
  std::array<char, 64> digits{};
  std::snprintf(digits.data(), digits.size(), format, value);
  return digits.data();
}
/// Three digits that count.
std::string rounded(double value) {
  const double power = value > 0 ? std::floor(std::log10(value)) : 0.0;
  const int places = static_cast<int>(std::clamp(2.0 - power, 0.0, 6.0));
  return formatted(("%." + std::to_string(places) + "f").c_str(), value);
}
std::string bandwidth_name(double bytes_per_second) {
  const double gigabits = bytes_per_second / bytes_per_gigabit;
  if (std::isinf(gigabits)) return "every bandwidth";
  if (gigabits == 0.0) return "no bandwidth";
  return gigabits >= 1.0 ? rounded(gigabits) + " Gbit/s" : rounded(1000 * gigabits) + " Mbit/s";
}

/// Lines of a table; the first column to the left, the others to the right.
void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string space(widths[c] - row[c].size(), ' ');
      line += c == 0 ? row[c] + space : "  " + space + row[c];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::puts(line.c_str());
  }
}

std::string rounds(double period) { return period == 1 ? "every step" : formatted("every %.0f steps", period); }

void print_messages(const round_setting& s, const message_cost& plain, const std::vector<measured_codec>& codecs) {
  std::vector<std::vector<std::string>> rows{{"message", "bytes", "ratio", "encode, ms", "decode, ms",
                                              s.overlap == 0 ? "pays below" : "pays below, " + rounds(s.period)}};
  const auto add = [&](const std::string& name, const message_cost& m, const std::string& pays) {
    rows.push_back({name, formatted("%.0f", m.bytes), formatted("%.2f", plain.bytes / m.bytes), rounded(1e3 * m.encode),
                    rounded(1e3 * m.decode), pays});
  };
  add("uncompressed", plain, "");
  for (const auto& [name, cost] : codecs) add(name, cost, bandwidth_name(break_even_bandwidth(s, cost, plain)));
  print_table(rows);
}

void print_steps(round_setting s, double bandwidth, const message_cost& plain,
                 const std::vector<measured_codec>& codecs, const std::vector<double>& periods) {
  std::vector<std::vector<std::string>> rows{{"ms a step; speed-up"}};
  for (const double period : periods) rows[0].insert(rows[0].end(), {rounds(period), "", ""});
  const auto add = [&](const std::string& name, const message_cost& m, bool verdict) {
    std::vector<std::string> row{name};
    for (const double period : periods) {
      s.period = period;
      const double seconds = step_seconds(s, bandwidth, m);
      const double times = step_seconds(s, bandwidth, plain) / seconds;
      row.push_back(rounded(1e3 * seconds));
      row.push_back(verdict ? formatted("%.2f", times) : "");
      row.push_back(!verdict ? "" : times > 1.0 ? "pays" : "does not");
    }
    rows.push_back(row);
  };
  add("uncompressed", plain, false);
  for (const auto& [name, cost] : codecs) add(name, cost, true);
  print_table(rows);
  std::puts("\nThe speed-up is over uncompressed messages of the same period. Their own, by the period alone:");
  s.period = 1;
  const double every_step = step_seconds(s, bandwidth, plain);
  for (const double period : periods) {
    s.period = period;
    std::printf("%s %.2f\n", rounds(period).c_str(), every_step / step_seconds(s, bandwidth, plain));
  }
}

/// The codecs of the picture: as many as there are colors beside the link and uncompressed messages.
constexpr std::array<std::string_view, 5> drawn{"half_bf16", "qsgd_8", "qsgd_4", "sign", "top_k_1_percent"};

/// The speed-up over the time that a gigabyte takes on the link, so that the curves end apart, where links are slow.
io::plot picture(const round_setting& s, double bandwidth, const message_cost& plain,
                 const std::vector<measured_codec>& codecs) {
  constexpr double gigabyte = 1e9;
  std::vector<measured_codec> shown;
  double fast = 10 * bandwidth;
  for (const measured_codec& codec : codecs) {
    if (std::find(drawn.begin(), drawn.end(), codec.name) == drawn.end()) continue;
    const double even = break_even_bandwidth(s, codec.cost, plain);
    if (std::isfinite(even)) fast = std::max(fast, 2 * even);
    shown.push_back(codec);
  }
  const double left = gigabyte / fast, here = gigabyte / bandwidth, right = 30 * here;
  io::plot p{.title = text("Speed-up of a step over uncompressed messages: ", plain.bytes / 4e6,
                           " million parameters, ", s.neighbors, s.neighbors == 1 ? " neighbor, " : " neighbors, ",
                           1e3 * s.compute, " ms of computing, a round ", rounds(s.period)),
             .x_label = text("seconds that a gigabyte takes on the link; dashed: ", bandwidth_name(bandwidth)),
             .y_label = "times as fast",
             .x_scale = io::axis_scale::logarithmic,
             .y_scale = io::axis_scale::logarithmic,
             .x_low = left,
             .x_high = right,
             .width = 760,
             .height = 440};
  double fastest = 1.0, slowest = 1.0;
  for (const auto& [name, cost] : shown) {
    io::plot_series curve{.name = name};
    constexpr int points = 200;
    for (int i = 0; i <= points; ++i) {
      curve.x.push_back(left * std::pow(right / left, static_cast<double>(i) / points));
      const double at = gigabyte / curve.x.back();
      curve.y.push_back(step_seconds(s, at, plain) / step_seconds(s, at, cost));
      fastest = std::max(fastest, curve.y.back());
      slowest = std::min(slowest, curve.y.back());
    }
    p.series.push_back(std::move(curve));
  }
  constexpr auto dashed = io::plot_series::style::dashed;
  p.series.push_back({.name = "uncompressed", .x = {left, right}, .y = {1.0, 1.0}, .drawn = dashed});
  p.series.push_back({.x = {here, here}, .y = {slowest, fastest}, .drawn = dashed});
  return p;
}

void run(const options& o) {
  const double bandwidth = o.bandwidth_gbit * bytes_per_gigabit;
  round_setting s{.compute = 1e-3 * o.compute_ms,
                  .neighbors = static_cast<double>(o.neighbors),
                  .period = o.periods.front(),
                  .overlap = o.overlap,
                  .latency = 1e-6 * o.latency_us};
  std::printf("%zu parameters, %zu neighbor%s, %s ms of computing a step; a link of %s us and %s\n", o.parameters,
              o.neighbors, o.neighbors == 1 ? "" : "s", text(o.compute_ms).c_str(), text(o.latency_us).c_str(),
              bandwidth_name(bandwidth).c_str());
  std::printf("Measured on one thread of: %s\n", machine().c_str());
  std::printf(
      "Assumed: %s.\nA round encodes once, sends to every neighbor over the one link and decodes what comes from "
      "each.\n\n",
      o.overlap == 0 ? "nothing is computed while messages travel (--overlap 0)"
                     : text("messages hide behind ", 100 * o.overlap, " % of a period's computing").c_str());
  std::fflush(stdout);
  const message_cost plain = measure_plain(o.parameters);
  const std::vector<measured_codec> codecs = measure_codecs(o.parameters);
  print_messages(s, plain, codecs);
  std::puts("");
  print_steps(s, bandwidth, plain, codecs, o.periods);
  io::write_file(o.svg, io::svg(picture(s, bandwidth, plain, codecs)));
  std::printf("\nThis is about time alone: what a codec or a period does to the loss it does not say.\nWrote %s\n",
              o.svg.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(read_options(argc, argv));
    return 0;
  } catch (const usage_error& e) {
    std::fprintf(stderr, "bench_break_even: %s\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_break_even: %s\n", e.what());
    return 1;
  }
}
