// The recipes of compressed cross-gradients against their stacked references, and the identities between them.
#include <cstddef>
#include <span>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/message.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/mixing/choco.hpp"
#include "polder/mixing/choco_before_step.hpp"
#include "polder/recipes/cga.hpp"
#include "polder/recipes/comp_cga.hpp"
#include "polder/recipes/comp_n_saddle.hpp"
#include "polder/recipes/comp_ngm.hpp"
#include "polder/recipes/n_saddle.hpp"
#include "polder/recipes/ngm.hpp"
#include "polder/update/quasi_global_momentum.hpp"
#include "recipes/stacked_compressed_cross.hpp"
#include "recipes/tensor_setting.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::test;

constexpr double gamma = 0.4;
constexpr quasi_global_momentum quasi_global{.beta = 0.8, .mu = 0.7};
constexpr qsgd four_bits{.bits = 4, .scale = scaling::contraction};
constexpr choco_before_step quantized{four_bits, gamma};
constexpr gossip whole{.gamma = gamma, .of = mixed::before_step};
constexpr error_feedback fed_sign{sign{}};

const stamped_codec c1 = qsgd_per_tensor(tensor_ends, 4, 1);
const stamped_codec c2 = sign_per_tensor(tensor_ends);

/// In double, with decisions that rounding does not turn; error feedback and float32 scales add a few more units.
template <class Algorithm>
void agrees(const tensor_setting& s, const Algorithm& parts, const compressed_cross& how, double tolerance = 1e-11) {
  const auto expected = stacked_compressed_cross(s.problem, s.start(), steps, how);
  const auto trained = s.train<double>(reference_backend{}, parts);
  CHECK(largest_difference(trained, expected) < tolerance);
  CHECK(s.train<double>(eigen_backend{}, parts) == trained);
}

TEST_CASE("compressed NGM follows its formulas with either message or both compressed") {
  for (const bool regular : {true, false}) {
    CAPTURE(regular);
    const tensor_setting s(regular ? ring() : irregular());
    const cross_method local{.aggregate = s.mean(1.0), .gamma = gamma};
    const cross_method global{.aggregate = s.mean(1.0), .momentum = memory::quasi_global, .gamma = gamma};
    const recipes::comp_ngm_options o{.weight_decay = wd};
    agrees(s, recipes::comp_ngm(quantized, fed_sign, o, nesterov{0.8}),
           {.method = local, .parameters = c1, .gradients = c2});
    agrees(s, recipes::comp_ngm(quantized, fed_sign, o, quasi_global),
           {.method = global, .parameters = c1, .gradients = c2});
    agrees(s, recipes::comp_ngm(whole, fed_sign, o, nesterov{0.8}), {.method = local, .gradients = c2});
    agrees(s, recipes::comp_ngm(quantized, uncompressed{}, o, quasi_global), {.method = global, .parameters = c1});
    agrees(s, recipes::comp_ngm(whole, sign{}, o, nesterov{0.8}),
           {.method = local, .gradients = c2, .feedback = false});
  }
}

TEST_CASE("compressed NGM blends both means, compresses its own gradient or takes it at the mixture if asked to") {
  const tensor_setting s(irregular());
  const cross_method local{.aggregate = s.mean(1.0), .gamma = gamma};
  agrees(s, recipes::comp_ngm(quantized, fed_sign, {.data_share = 0.3, .weight_decay = wd}, nesterov{0.8}),
         {.method = local, .parameters = c1, .gradients = c2, .share = 0.3, .model_variant = s.mean(0.0)});
  for (const double a : {1.0, 0.3}) {
    agrees(
        s,
        recipes::comp_ngm(whole, fed_sign, {.data_share = a, .weight_decay = wd, .compress_own = true}, nesterov{0.8}),
        {.method = local, .gradients = c2, .own = true, .share = a, .model_variant = s.mean(0.0)});
  }
  const cross_method at_mixture{.aggregate = s.mean(1.0), .sequence = order::gradient_at_mixed, .gamma = gamma};
  agrees(s, recipes::comp_ngm(quantized, fed_sign, {.weight_decay = wd, .own = self_point::mixed}, nesterov{0.8}),
         {.method = at_mixture, .parameters = c1, .gradients = c2});
  agrees(s, recipes::comp_ngm(whole, fed_sign, {.weight_decay = wd, .own = self_point::mixed}, nesterov{0.8}),
         {.method = at_mixture, .gradients = c2});
}

TEST_CASE("the messages of a step have random numbers of their own, to each neighbor as well") {
  const tensor_setting s(irregular());
  const cross_method local{.aggregate = s.mean(1.0), .gamma = gamma};
  agrees(s,
         recipes::comp_ngm(choco_before_step{.compressor = four_bits, .gamma = gamma, .seed = 5},
                           error_feedback{four_bits}, {.weight_decay = wd, .compress_own = true, .seed = 9},
                           nesterov{0.8}),
         {.method = local,
          .parameters = qsgd_per_tensor(tensor_ends, 4, 5),
          .gradients = qsgd_per_tensor(tensor_ends, 4, 9),
          .own = true});
}

/// The numbers themselves in even steps, signs in odd ones: messages of two sizes.
struct alternating {
  static constexpr bool fixed_size = false;

  template <class T>
  [[nodiscard]] no_compressor_state init(const layout&) const {
    return {};
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const layout& tensors) const {
    return raw{}.max_bytes<T>(tensors);
  }
  template <class T>
  std::size_t compress(no_compressor_state& s, std::span<const T> x, const layout& tensors, const stamp& which,
                       std::span<std::byte> out) const {
    return which.step % 2 == 0 ? raw{}.compress<T>(s, x, tensors, which, out)
                               : sign{}.compress<T>(s, x, tensors, which, out);
  }
  template <class T>
  void decompress(std::span<const std::byte> bytes, const layout& tensors, std::span<T> y) const {
    if (read_message_header(bytes).codec == codec::raw) {
      raw{}.decompress<T>(bytes, tensors, y);
    } else {
      sign{}.decompress<T>(bytes, tensors, y);
    }
  }
  template <class T>
  void decompress_add(std::span<const std::byte> bytes, const layout& tensors, double weight, std::span<T> y) const {
    if (read_message_header(bytes).codec == codec::raw) {
      raw{}.decompress_add<T>(bytes, tensors, weight, y);
    } else {
      sign{}.decompress_add<T>(bytes, tensors, weight, y);
    }
  }
};

TEST_CASE("messages may be of another size in every step, on both ways") {
  const tensor_setting s(irregular());
  const stamped_codec alternately = [](const std::vector<double>& v, const message_place& at) {
    return at.step % 2 == 0 ? v : c2(v, at);
  };
  agrees(s,
         recipes::comp_ngm(choco_before_step{alternating{}, gamma}, error_feedback{alternating{}}, {.weight_decay = wd},
                           nesterov{0.8}),
         {.method = {.aggregate = s.mean(1.0), .gamma = gamma}, .parameters = alternately, .gradients = alternately});
}

TEST_CASE("copies that begin at zero follow the formulas from there") {
  const tensor_setting s(irregular());
  const choco_before_step from_zero{.compressor = four_bits, .gamma = gamma, .copies = public_copies::zero};
  agrees(s, recipes::comp_ngm(from_zero, fed_sign, {.weight_decay = wd}, nesterov{0.8}),
         {.method = {.aggregate = s.mean(1.0), .gamma = gamma}, .parameters = c1, .gradients = c2, .from_zero = true});
}

// Coordinate descent ends when a sweep moves no multiplier by more than 1e-12 of its size. Rows of signs often differ in one
// or two places of 14, which makes its sweeps short, so it ends some ten times further from the solution than that; 60
// steps of up to 0.05 with the momenta's gains of 5 and 10 may add up to a hundred times that.
TEST_CASE("compressed CGA follows its formulas, tensor by tensor") {
  for (const bool regular : {true, false}) {
    CAPTURE(regular);
    const tensor_setting s(regular ? ring() : irregular());
    const cross_method local{.aggregate = s.program(), .gamma = gamma};
    const cross_method global{.aggregate = s.program(), .momentum = memory::quasi_global, .gamma = gamma};
    const recipes::comp_cga_options o{.weight_decay = wd};
    agrees(s, recipes::comp_cga(quantized, fed_sign, o, nesterov{0.8}),
           {.method = local, .parameters = c1, .gradients = c2}, 1e-9);
    agrees(s, recipes::comp_cga(quantized, fed_sign, {.weight_decay = wd, .compress_own = true}, quasi_global),
           {.method = global, .parameters = c1, .gradients = c2, .own = true}, 1e-9);
    agrees(s, recipes::comp_cga(whole, fed_sign, o, nesterov{0.8}), {.method = local, .gradients = c2}, 1e-9);
  }
}

TEST_CASE("compressed N-SADDLe follows its formulas, with SAM in all gradients or in the own one only") {
  for (const bool regular : {true, false}) {
    const tensor_setting s(regular ? ring() : irregular());
    for (const bool plain_cross : {false, true}) {
      CAPTURE(regular, plain_cross);
      const recipes::comp_n_saddle_options o{.rho = 0.3, .plain_cross = plain_cross, .weight_decay = wd};
      cross_method method{
          .aggregate = s.mean(1.0), .rho_own = 0.3, .rho_cross = plain_cross ? 0.0 : 0.3, .gamma = gamma};
      agrees(s, recipes::comp_n_saddle(quantized, fed_sign, o, nesterov{0.8}),
             {.method = method, .parameters = c1, .gradients = c2});
      method.momentum = memory::heavy_ball;
      agrees(s, recipes::comp_n_saddle(whole, fed_sign, o, momentum{0.8}), {.method = method, .gradients = c2});
      method.momentum = memory::quasi_global;
      agrees(s, recipes::comp_n_saddle(quantized, fed_sign, o, quasi_global),
             {.method = method, .parameters = c1, .gradients = c2});
    }
  }
}

TEST_CASE("with both messages uncompressed the recipes are NGM, CGA and N-SADDLe, bit for bit") {
  const tensor_setting s(irregular());
  const auto train = [&](const auto& parts) { return s.train<float>(eigen_backend{}, parts); };
  // raw carries the numbers themselves in a message: the same bits.
  const auto same = [&](const auto& base, const auto& make) {
    const auto expected = train(base);
    CHECK(train(make(uncompressed{})) == expected);
    CHECK(train(make(raw{})) == expected);
    CHECK(train(make(error_feedback{raw{}})) == expected);
    CHECK(train(make(fed_sign)) != expected);
  };
  same(recipes::ngm({.weight_decay = wd, .gamma = gamma}),
       [](const auto& back) { return recipes::comp_ngm(whole, back, {.weight_decay = wd}); });
  same(recipes::ngm({.data_share = 0.3, .gamma = gamma, .own = self_point::mixed}),
       [](const auto& back) { return recipes::comp_ngm(whole, back, {.data_share = 0.3, .own = self_point::mixed}); });
  same(recipes::cga({.weight_decay = wd, .gamma = gamma}),
       [](const auto& back) { return recipes::comp_cga(whole, back, {.weight_decay = wd}); });
  same(recipes::n_saddle({.rho = 0.1, .weight_decay = wd, .gamma = gamma}, quasi_global), [](const auto& back) {
    return recipes::comp_n_saddle(whole, back, {.rho = 0.1, .weight_decay = wd}, quasi_global);
  });
  CHECK(train(recipes::comp_ngm(whole, uncompressed{}, {.data_share = 0.0})) ==
        train(recipes::ngm({.data_share = 0.0, .gamma = gamma})));
}

TEST_CASE("with rho = 0 compressed N-SADDLe is compressed NGM bit for bit, also when all passes are forced") {
  const tensor_setting s(irregular());
  const auto train = [&](const auto& parts) { return s.train<float>(eigen_backend{}, parts); };
  const auto base = train(recipes::comp_ngm(quantized, error_feedback{four_bits}, {.weight_decay = wd}));
  const auto n_saddle = [&](double rho, bool force) {
    return train(recipes::comp_n_saddle(quantized, error_feedback{four_bits},
                                        {.rho = rho, .weight_decay = wd, .force_second_pass = force}));
  };
  CHECK(n_saddle(0.0, false) == base);
  CHECK(n_saddle(0.0, true) == base);
  CHECK(n_saddle(1e-3, false) != base);
}

TEST_CASE("copies that lose nothing are gossip before the step") {
  const tensor_setting s(irregular());
  const auto train = [&](const auto& parts) { return s.train<double>(reference_backend{}, parts); };
  const choco_before_step lossless{raw{}, 0.6};
  CHECK(largest_difference(train(recipes::comp_ngm(lossless, raw{}, {.weight_decay = wd})),
                           train(recipes::ngm({.weight_decay = wd, .gamma = 0.6}))) < 1e-12);
  CHECK(largest_difference(train(algorithm{plain{}, nesterov{}, lossless}),
                           train(algorithm{plain{}, nesterov{}, gossip{.gamma = 0.6, .of = mixed::before_step}})) <
        1e-12);
}

TEST_CASE("with plain gradients CHOCO before the step is CHOCO that mixes first") {
  for (const auto start : {public_copies::at_start, public_copies::zero}) {
    const tensor_setting s(irregular());
    const auto train = [&](const auto& mixing) {
      return s.train<double>(reference_backend{}, algorithm{plain{}, quasi_global, mixing});
    };
    const choco_before_step early{.compressor = sign{}, .gamma = 0.3, .copies = start};
    const choco late{.compressor = sign{}, .gamma = 0.3, .order = choco_order::mix_first, .copies = start};
    if (start == public_copies::at_start) {
      CHECK(largest_difference(train(early), train(late)) < 1e-11);
    } else {
      // The early one sends before its first mix, the late one does not.
      CHECK(largest_difference(train(early), train(late)) > 1e-6);
    }
  }
}

}  // namespace
