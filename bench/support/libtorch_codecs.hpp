// What LibTorch's operations make of the same encodings: sequences as published codes write them, with few operations
// and in place where that is possible. They leave out the header, the check sum and the checks for numbers that are not
// finite.
#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>

namespace polder::bench {

/// Empty functions: LibTorch has no sequence for this codec.
struct libtorch_codec {
  std::function<void()> encode;
  std::function<void()> decode_add;
  std::function<void()> topk_alone;  ///< torch.topk of magnitudes that are there
};

/// The n numbers at x stay where they are.
inline libtorch_codec libtorch_codec_for(const std::string& name, float* x_data, std::size_t size) {
  torch::set_num_threads(1);
  constexpr double weight = 1.0 / 3.0;
  const auto n = static_cast<std::int64_t>(size);
  const torch::Tensor x = torch::from_blob(x_data, {n});
  const torch::Tensor y = torch::zeros({n});
  const auto eighths = torch::tensor({1, 2, 4, 8, 16, 32, 64, 128}, torch::kUInt8);
  const auto pack_signs = [eighths](const torch::Tensor& v) {
    return v.lt(0).view({-1, 8}).to(torch::kUInt8).mul_(eighths).sum(1, false, torch::kUInt8);
  };

  if (name == "raw" || name == "half_bf16" || name == "half_fp16") {
    const auto type = name == "raw" ? torch::kFloat : name == "half_bf16" ? torch::kBFloat16 : torch::kHalf;
    const torch::Tensor wire = torch::zeros({n}, type);
    return {[=] { wire.copy_(x); }, [=] { y.add_(wire, weight); }, {}};
  }
  if (name == "sign" || name == "error_feedback_sign") {
    const bool feedback = name != "sign";
    const torch::Tensor wire = torch::zeros({n / 8}, torch::kUInt8), scale = torch::zeros({1});
    const torch::Tensor e = torch::zeros({feedback ? n : 0});
    return {[=] {
              const torch::Tensor p = feedback ? e.add_(x) : x;
              scale.fill_(p.abs().mean());
              wire.copy_(pack_signs(p));
              if (feedback) e.sub_(p.sign().mul_(scale));
            },
            [=] {
              const torch::Tensor negative = wire.unsqueeze(1).bitwise_and(eighths).ne(0).view({n});
              y.add_(negative.to(torch::kFloat).mul_(-2).add_(1), weight * scale.item<double>());
            },
            {}};
  }
  if (name.starts_with("top_k") || name.starts_with("random_k")) {
    const std::int64_t k = n / (name.ends_with("_1_percent") ? 100 : 4);
    const torch::Tensor index = torch::zeros({k}, torch::kInt64), values = torch::zeros({k});
    const auto draw = [=] { return torch::randperm(n, torch::kInt64).slice(0, 0, k); };
    if (name.starts_with("random_k")) {
      return {[=] {
                index.copy_(draw());
                values.copy_(x.index_select(0, index));
              },
              [=] { y.index_add_(0, draw(), values, weight); },  // the receiver draws the positions from the seed
              {}};
    }
    const torch::Tensor magnitudes = x.abs();
    return {[=] {
              index.copy_(std::get<1>(x.abs().topk(k, 0, true, false)));
              values.copy_(x.index_select(0, index));
            },
            [=] { y.index_add_(0, index, values, weight); }, [=] { (void)magnitudes.topk(k, 0, true, false); }};
  }
  if (name == "qsgd_8" || name == "qsgd_4") {
    const bool nibbles = name == "qsgd_4";
    const double s = nibbles ? 7 : 127;
    const torch::Tensor wire = torch::zeros({nibbles ? n / 2 : n}, nibbles ? torch::kUInt8 : torch::kInt8);
    const torch::Tensor norm = torch::zeros({1});
    return {[=] {
              norm.fill_(x.norm());
              const torch::Tensor level =
                  x.abs().mul_(s / norm.item<double>()).add_(torch::rand_like(x)).floor_().clamp_max_(s);
              if (!nibbles) {
                wire.copy_(level.mul_(x.sign()));
                return;
              }
              const torch::Tensor codes = level.add_(x.lt(0), 8).to(torch::kUInt8).view({-1, 2});
              wire.copy_(codes.select(1, 0).add(codes.select(1, 1), 16));
            },
            [=] {
              const double unit = weight * norm.item<double>() / s;
              if (!nibbles) {
                y.add_(wire, unit);
                return;
              }
              const torch::Tensor codes = torch::stack({wire.bitwise_and(15), wire.div(16, "floor")}, 1).view({n});
              const torch::Tensor sign = codes.ge(8).to(torch::kFloat).mul_(-2).add_(1);
              y.add_(sign.mul_(codes.bitwise_and(7)), unit);
            },
            {}};
  }
  return {};
}

}  // namespace polder::bench
