// In steady state, training allocates nothing: neither by operator new nor by malloc, which matrix libraries call.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "bound_layer.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "support/catch.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POLDER_TEST_OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define POLDER_TEST_OWN_MALLOC 0
#endif
#endif
#if !defined(POLDER_TEST_OWN_MALLOC) && defined(__GLIBC__)
#define POLDER_TEST_OWN_MALLOC 1
#endif

#if POLDER_TEST_OWN_MALLOC

namespace {
std::atomic<std::size_t> allocations{0};
}

// The C library's own functions, under names that remain when malloc is replaced. operator new calls malloc or
// aligned_alloc.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  ++allocations;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
}

namespace nn = polder::nn;

TEST_CASE("the counter of allocations counts operator new and malloc") {
  const std::size_t before = allocations;
  delete new volatile int(3);
  std::free(std::malloc(100));
  ::operator delete(::operator new(64, std::align_val_t{64}), std::align_val_t{64});
  REQUIRE(allocations >= before + 3);
}

TEST_CASE("training and evaluating allocate nothing once they have run") {
  for (const char* name : {"mlp", "lenet5", "resnet20", "resnet20:evonorm", "vgg11"}) {
    INFO(name);
    const nn::shape in = std::string(name) == "lenet5" ? nn::shape{1, 28, 28} : nn::shape{3, 16, 16};
    constexpr std::size_t images = 32;
    const nn::model<float, polder::eigen_backend> model(nn::model_from_name(name, in, 10), in, 10);
    std::vector<float> x(model.size()), g(model.size());
    model.initialize(x, 1);
    const auto batch = test::random_vector<float>(images * in.size(), 2);
    const std::vector<std::uint8_t> answers(images, 3);
    std::vector<std::uint8_t> predicted(images);
    std::vector<double> direction(model.size(), 0.1), product(model.size());
    const auto f = model.on(std::span<const float>(batch), std::span<const std::uint8_t>(answers));
    auto kept = f.kept_hessian(x);
    const auto step = [&] {
      f.hessian_product(x, std::span<const float>(x), g);
      kept.multiply(direction, product);
      f.loss_and_gradient(x, g);
      (void)f.loss(x);
      (void)model.evaluate(std::span<const float>(x), std::span<const float>(batch),
                           std::span<const std::uint8_t>(answers));
      model.predict(std::span<const float>(x), std::span<const float>(batch), std::span<std::uint8_t>(predicted));
    };
    step();
    const std::size_t before = allocations;
    step();
    step();
    REQUIRE(allocations == before);
  }
}

#endif
