#include "dualagent/collective/shared_arrays.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "dualagent/core/aligned_vector.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20, kPage = 4096;

/// A file in memory that is mapped twice.
struct TwoViews {
  TwoViews() {
    REQUIRE(::ftruncate(file, 8 * kMebibyte) == 0);
    for (std::byte*& view : views) {
      void* const mapped =
          ::mmap(nullptr, 8 * kMebibyte, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
      REQUIRE(mapped != MAP_FAILED);
      view = static_cast<std::byte*>(mapped);
    }
  }
  ~TwoViews() {
    for (std::byte* view : views) ::munmap(view, 8 * kMebibyte);
    ::close(file);
  }
  std::size_t bytes_taken() const {
    struct stat facts {};
    REQUIRE(::fstat(file, &facts) == 0);
    return static_cast<std::size_t>(facts.st_blocks) * 512;
  }

  int file = ::memfd_create("dualagent-test", MFD_CLOEXEC);
  std::byte* views[2] = {};
};

}  // namespace

TEST_CASE("an arena fills gaps, joins them again and takes memory for arrays alone",
          "[collective]") {
  const auto file = std::make_shared<TwoViews>();
  detail::SharedArena arena(file, file->file, 0, file->views[0], 8 * kPage);
  void* const first = arena.allocate(2 * kPage);
  void* const second = arena.allocate(kPage + 1);
  void* const third = arena.allocate(4 * kPage);
  CHECK(first == file->views[0]);
  CHECK(second == file->views[0] + 2 * kPage);
  CHECK(third == file->views[0] + 4 * kPage);
  CHECK(arena.allocate(1) == nullptr);
  CHECK(file->bytes_taken() == 8 * kPage);
  CHECK(arena.deallocate(second));
  CHECK_FALSE(arena.deallocate(second));
  CHECK_FALSE(arena.deallocate(file->views[1]));
  CHECK(file->bytes_taken() == 6 * kPage);
  CHECK(arena.allocate(3 * kPage) == nullptr);  // the gap has two
  CHECK(arena.deallocate(first));
  CHECK(arena.allocate(4 * kPage) == first);
  CHECK(arena.deallocate(third));
  CHECK_FALSE(arena.is_empty());
  CHECK(arena.deallocate(first));
  CHECK(arena.is_empty());
  CHECK(arena.allocate(8 * kPage) == first);
  CHECK(file->bytes_taken() == 8 * kPage);
  CHECK(arena.holds(first, 8 * kPage));
  CHECK_FALSE(arena.holds(first, 8 * kPage + 1));
  CHECK_FALSE(arena.holds(file->views[0] + 8 * kPage, 0));
}

TEST_CASE("large arrays lie in the arena of the process and outlive it", "[collective]") {
  const auto file = std::make_shared<TwoViews>();
  const auto arena =
      std::make_shared<detail::SharedArena>(file, file->file, 0, file->views[0], 8 * kMebibyte);
  const long users_before = file.use_count();
  const auto seen_in_arena = [&](const auto& vector) {
    return arena->holds(vector.data(), vector.size() * sizeof(vector[0]));
  };
  AlignedVector<float> before(kMebibyte / 4);
  detail::SharedArrays::of_process().add(arena);
  {
    AlignedVector<float> small(kMebibyte / 4 - 1), large(kMebibyte / 4, 3.0F);
    AlignedVector<double> too_large(2 * kMebibyte);
    CHECK_FALSE(seen_in_arena(before));
    CHECK_FALSE(seen_in_arena(small));
    CHECK_FALSE(seen_in_arena(too_large));
    REQUIRE(seen_in_arena(large));
    CHECK(reinterpret_cast<std::uintptr_t>(large.data()) % 64 == 0);
    const std::ptrdiff_t at = reinterpret_cast<std::byte*>(large.data()) - file->views[0];
    CHECK(*reinterpret_cast<float*>(file->views[1] + at) == 3.0F);

    const AlignedVector<float> kept(kMebibyte / 2, 5.0F);
    detail::SharedArrays::of_process().close(arena.get());
    AlignedVector<float> after(kMebibyte / 4);
    CHECK_FALSE(seen_in_arena(after));
    CHECK(kept.back() == 5.0F);
  }
  CHECK(arena->is_empty());
  CHECK(arena.use_count() == 1);  // forgotten with its last array
  CHECK(file.use_count() == users_before);
}
