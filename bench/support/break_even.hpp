// When compression pays: the time of a training step with messages over a given link, and the bandwidth at which a codec
// takes as long as no codec.
#pragma once

#include <algorithm>
#include <limits>

namespace polder::bench {

/// What a message of one worker costs. Seconds; bytes on the wire.
struct message_cost {
  double encode = 0;
  double decode = 0;  ///< and add to a sum
  double bytes = 0;
};

/// A round of a worker: it encodes one message, sends it to its K neighbors and decodes the K that come. The messages
/// start together and share the link in each direction, so a round waits
///
///     transfer = latency + K bytes / bandwidth
///
/// of which `overlap` times the computing of a period can be hidden: 0, nothing is computed while messages travel; 1, a
/// round travels behind all steps until the next one.
struct round_setting {
  double compute = 0;    ///< seconds of a step without messages
  double neighbors = 1;  ///< K
  double period = 1;     ///< steps from round to round
  double overlap = 0;    ///< in [0, 1]
  double latency = 0;    ///< seconds

  [[nodiscard]] double hidden() const { return overlap * period * compute; }
  [[nodiscard]] double work(const message_cost& m) const { return m.encode + neighbors * m.decode; }
};

/// Seconds of a step, a round's share included; bandwidth in bytes per second.
///
///     compute + (encode + K decode + max(0, transfer - overlap period compute)) / period
[[nodiscard]] inline double step_seconds(const round_setting& s, double bandwidth, const message_cost& m) {
  const double transfer = s.latency + s.neighbors * m.bytes / bandwidth;
  return s.compute + (s.work(m) + std::max(0.0, transfer - s.hidden())) / s.period;
}

/// The bandwidth, in bytes per second, below which steps with `coded` messages are shorter than with `plain` ones:
///
///     K (plain.bytes - coded.bytes) / extra       extra = (encode + K decode) of coded - of plain
///     K plain.bytes / (extra + hidden - latency)  where coded messages of that bandwidth are hidden altogether
///
/// Infinite where coding takes no extra time, 0 where it saves no bytes.
[[nodiscard]] inline double break_even_bandwidth(const round_setting& s, const message_cost& coded,
                                                 const message_cost& plain) {
  if (coded.bytes >= plain.bytes) return 0.0;
  const double extra = s.work(coded) - s.work(plain);
  if (extra <= 0.0) return std::numeric_limits<double>::infinity();
  const double bandwidth = s.neighbors * (plain.bytes - coded.bytes) / extra;
  if (s.latency + s.neighbors * coded.bytes / bandwidth >= s.hidden()) return bandwidth;
  return s.neighbors * plain.bytes / (extra + s.hidden() - s.latency);
}

}  // namespace polder::bench
