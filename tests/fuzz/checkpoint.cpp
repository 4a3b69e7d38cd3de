// Any bytes as one worker's part of a checkpoint, past its check sum: they are refused with polder's errors, or the worker
// that they fill can go on.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/comm/self.hpp"
#include "polder/io/safetensors.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/objective/quadratic.hpp"
#include "polder/recipes/qgm.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/checkpoint_parts.hpp"
#include "polder/train/worker.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace polder;
  try {
    const io::safetensors_file file = io::parse_safetensors(io::bytes(data, data + size), "input", false);
    const auto parts = algorithm{plain{}, quasi_global_momentum{}, every{std::uint64_t{3}, gossip{}}};
    const auto weights = topology::mixing_matrix::usual(topology::ring(1));
    const std::vector<float> x0(4, 1.0f);
    auto f = quadratic::diagonal({1.0, 0.5, 0.25, 2.0});
    self<> comm;
    worker one(parts, reference_backend{}, comm, weights, f, std::span<const float>(x0));
    detail::state_checker checker(one.tensors(), file);
    const bool anchored = file.contains("anchor");
    if (anchored) checker("anchor", one.x());
    one.visit(checker);
    detail::state_reader reader(one.backend(), one.tensors(), file);
    one.visit(reader, true, anchored);
    for (int step = 0; step < 4; ++step) one.step();
  } catch (const error&) {
    return 0;
  }
  return 0;
}
